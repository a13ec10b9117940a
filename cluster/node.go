package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/internal/teardown"
)

const (
	snapshotsKept = 2
	// Raft checks this often whether to take a snapshot, and takes one after this
	// many entries, or fewer long ones.
	snapshotInterval  = 30 * time.Second
	snapshotThreshold = 8192
	// defaultTrailingLogs is how many entries stay in the log after a snapshot: for
	// followers that lag, and in case the newest snapshot is damaged.
	defaultTrailingLogs = 32768
)

// stopTimeout is how long each part may take to stop after Close's own context
// has ended.
const stopTimeout = 3 * time.Second

// soloTiming is for a single master, which waits for no answers.
var soloTiming = Timing{
	Heartbeat: 50 * time.Millisecond, Election: 50 * time.Millisecond, Lease: 50 * time.Millisecond,
}

// Node is one running master of the cluster. Its methods are safe for
// concurrent use.
type Node struct {
	cfg         Config
	log         hclog.Logger
	id          identity
	defaultName string
	own         atomic.Pointer[address]

	storage   *storage
	store     raftStore
	snaps     raft.SnapshotStore
	book      *addressBook
	formation *formation
	lead      *leadership
	watchdog  *watchdog
	detection *detection
	reloading sync.Mutex // one change of Raft's configuration at a time
	memory    *peerMemory
	states    *memberStates
	twins     twins
	misfits   *misfits
	autopilot atomic.Pointer[parsedAutopilot] // see Autopilot
	run       string                          // names this process, see hello
	removal   sync.Once
	isOut     atomic.Bool // it was removed from the cluster

	raftOpened chan struct{}   // closed when raft is there
	committed  *committedIndex // what must stay in the log; nil in memory
	space      *diskSpace      // nil when no disk is watched
	raft       *raft.Raft

	// Nil on a single master, which opens no port.
	stream     *streamLayer
	transport  *transport
	peers      *peerClient
	gossip     *gossip
	hint       *crashHint
	membership *membership
	keyring    *keyring
	rotating   sync.Mutex // one change of the gossip keys at a time

	applySeconds prometheus.Histogram
	barrierTerm  atomic.Uint64
	started      time.Time
	sizes        *meanSize    // of log entries; nil in memory
	full         *atomic.Bool // the last log write found the disk full; nil in memory
	caughtUp     atomic.Bool
	verifier     leaderVerifier
	failed       chan error
	failureErr   atomic.Pointer[error]
	notify       chan bool // Raft sends whether this master leads

	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	stopped chan struct{} // closed when Raft is shut down

	closeOnce sync.Once
	closeErr  error
	teardown  teardown.Stack
}

// Open starts a master. After an error nothing is left running.
func Open(cfg Config, sm StateMachine) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, defaultName: defaultName(),
		applySeconds: newApplySeconds(), started: time.Now(),
		failed: make(chan error, 1), stopped: make(chan struct{}),
		notify: make(chan bool, 8),
	}
	n.misfits = newMisfits(n.log.Named("membership"))
	n.detection = newDetection(cfg.Timing, n.log.Named("detection"))
	n.raftOpened = make(chan struct{})
	n.run = uuid.NewString()[:8]
	n.own.Store(&address{})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.open(sm); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, n.tearDown(ctx))
	}
	return n, nil
}

// open builds the parts in order of dependency. Each part pushes its own
// teardown.
func (n *Node) open(sm StateMachine) error {
	err := n.openDir()
	if err != nil && !untrusted(err) {
		return err
	}
	if err := n.finishAside(sm); err != nil {
		return fmt.Errorf("set files aside: %w", err)
	}
	n.openPeers()
	var restore bool
	if err == nil {
		err = n.id.lost()
	}
	if err == nil {
		restore, err = n.openLog(sm)
	}
	if untrusted(err) {
		restore, err = n.startOver(sm, err)
	}
	if err != nil {
		return err
	}
	n.lead = newLeadership(n.id.ID, n.setLeads)
	if n.formation, err = openFormation(n.storage, n.formationConfig()); err != nil {
		return err
	}
	sm.SetClusterID(n.formation.clusterID)
	if !n.cfg.networked() {
		_, trans := raft.NewInmemTransport(raft.ServerAddress(n.id.ID))
		if err := n.openRaft(sm, trans, restore); err != nil {
			return err
		}
		if err := n.formSolo(); err != nil {
			return err
		}
		n.start()
		return n.openMetrics()
	}
	serve, err := n.openPeerPort()
	if err != nil {
		return err
	}
	if err := n.openRaft(sm, n.transport, restore); err != nil {
		return err
	}
	if err := n.openGossip(); err != nil {
		return err
	}
	if !n.id.Removed.IsZero() {
		n.removed()
	}
	serve()
	n.spawn(n.adaptTimeouts)
	n.spawn(n.rememberPeers)
	n.spawn(n.askSilent)
	n.start()
	return n.openMetrics()
}

// start runs the background work that needs every part.
func (n *Node) start() {
	n.spawn(func(ctx context.Context) { n.lead.run(ctx, n.notify) })
	n.spawn(n.catchUp)
	n.spawn(n.replaceSnapshots)
	if store, ok := n.store.(*diskStore); ok {
		n.spawn(store.keepMark)
		n.spawn(func(ctx context.Context) { n.boundLog(ctx, n.sizes) })
	}
	if n.space != nil {
		n.spawn(n.watchDisk)
	}
}

func (n *Node) openDir() error {
	var err error
	if n.storage, err = openStorage(n.cfg.Dir); err != nil {
		return err
	}
	n.teardown.PushClose(n.storage.close)
	if n.cfg.DiskReserve > 0 && !n.storage.inMemory() {
		n.space = &diskSpace{reserve: n.cfg.DiskReserve, free: n.cfg.diskFree}
	}
	n.id, err = openIdentity(n.storage, n.cfg.NodeID)
	return err
}

// openPeers reads what this master knows of the others.
func (n *Node) openPeers() {
	if len(n.id.Former) > 0 || n.id.Unknown {
		n.cfg.Expect = 0 // its data is set aside: it must not form a cluster without it
	}
	n.memory = openPeerMemory(n.storage, n.log)
	n.states = newMemberStates(n.memory)
	n.book = openAddressBook(n.storage, n.log)
}

// openLog opens the log, watched by the watchdog, and the snapshots, and prepares
// them for Raft. It returns whether Raft must restore the newest snapshot.
func (n *Node) openLog(sm StateMachine) (restore bool, err error) {
	clock := &writeClock{}
	n.watchdog = newWatchdog(clock, n.stallChanged)
	r := &recovery{sm: sm, log: n.log, dir: n.storage.path}
	if n.storage.inMemory() {
		n.store, n.snaps = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		r.store, r.snaps = n.store, n.snaps
		return r.prepare()
	}
	n.cfg.Phase("checking the log")
	if err := n.checkLogFile(sm); err != nil {
		return false, err
	}
	store, err := openDiskStore(n.storage.file(logFile), clock, n.fail)
	if err != nil {
		return false, err
	}
	if restore, err = n.openSnapshots(r, store); err != nil {
		return false, errors.Join(err, store.close())
	}
	if err := store.claim(n.id.ID); err != nil {
		n.id = identity{ID: n.id.ID, Unknown: true} // the log or the identity is another's, which may be alive
		return false, errors.Join(err, store.close())
	}
	n.teardown.PushClose(store.close)
	n.store, n.sizes, n.full, n.committed = store, &store.sizes, &store.full, &store.committed
	applied, _ := sm.Applied()
	n.committed.raise(applied)
	return restore, nil
}

func (n *Node) openSnapshots(r *recovery, store *diskStore) (restore bool, err error) {
	n.cfg.Phase("checking the snapshots")
	snapLog := n.log.Named("snapshot")
	snaps, err := openSnapshotStore(n.storage.path, snapLog)
	if err != nil {
		return false, err
	}
	n.snaps = snaps
	if err := snaps.setDamagedAside(snapLog); err != nil {
		return false, err
	}
	r.store, r.snaps = store, n.snaps
	n.cfg.Phase("checking the state")
	return r.prepare()
}

// openRaft starts Raft on the directory that recovery has prepared.
func (n *Node) openRaft(sm StateMachine, trans raft.Transport, restore bool) error {
	timing := n.cfg.Timing
	if !n.cfg.networked() {
		timing = soloTiming
	}
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(n.id.ID)
	conf.HeartbeatTimeout, conf.ElectionTimeout = timing.Heartbeat, timing.Election
	conf.LeaderLeaseTimeout = timing.Lease
	conf.Logger = limitLog(n.log.Named("raft"))
	conf.NotifyCh = n.notify
	conf.SnapshotInterval, conf.SnapshotThreshold = snapshotInterval, snapshotThreshold
	conf.TrailingLogs = n.cfg.trailingLogs
	conf.NoSnapshotRestoreOnStart = !restore
	conf.ShutdownOnRemove = false // a removed master can be added again
	conf.NoLegacyTelemetry = true
	if n.committed != nil {
		sm = watchedState{sm, n.committed}
	}
	n.cfg.Phase("starting Raft")
	snaps := n.snaps
	if files, ok := snaps.(*snapshotStore); ok {
		snaps = raftSnapshots{files}
	}
	r, err := raft.NewRaft(conf, sm, n.store, n.store, snaps, trans)
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	n.raft = r
	close(n.raftOpened)
	if n.committed != nil {
		n.committed.raft.Store(r)
	}
	n.teardown.Push(n.shutdownRaft)
	r.RegisterObserver(raft.NewObserver(nil, false, n.lead.observe))
	n.teardown.Push(n.stopBackground)
	n.spawn(n.watchdog.run)
	return nil
}

// formationConfig connects the formation to Raft and to the other masters.
func (n *Node) formationConfig() formationConfig {
	return formationConfig{
		copies: n.store,
		id:     n.id.ID, expect: n.cfg.Expect, claim: n.claim(), log: n.log.Named("formation"),
		ask: n.askVote, bootstrap: n.bootstrap,
		history: func() (bool, error) { return raft.HasExistingState(n.store, n.store, n.snaps) },
	}
}

// bootstrap writes the first Raft configuration.
func (n *Node) bootstrap(c raft.Configuration) error {
	if err := n.raft.BootstrapCluster(c).Error(); err != nil {
		return err
	}
	if n.transport == nil {
		return nil
	}
	// There is no leader whose timeout the others must wait for.
	if err := n.standForElection(); err != nil {
		n.log.Warn("cannot start the first election early; it starts after a timeout", "error", err)
	}
	return nil
}

// formSolo makes a single master a cluster of one.
func (n *Node) formSolo() error {
	if servers := n.servers(); len(servers) > 1 {
		return fmt.Errorf("raft directory %s: belongs to a cluster of %d masters; "+
			"give the addresses to join, or another directory", n.cfg.Dir, len(servers))
	}
	n.book.learn(n.id.ID, n.ownAddress())
	n.spawn(n.keepName)
	return n.formation.alone()
}

func (n *Node) openMetrics() error {
	if n.cfg.Metrics == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{collector{n}, n.applySeconds} {
		if err := n.cfg.Metrics.Register(c); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		n.teardown.PushClose(func() error { n.cfg.Metrics.Unregister(c); return nil })
	}
	return nil
}

// ID returns this master's identity.
func (n *Node) ID() string { return n.id.ID }

// ClusterID returns the id of the cluster that this master belongs to, "" until
// the cluster is formed.
func (n *Node) ClusterID() string {
	if vote := n.formation.current(); vote.Formed {
		return vote.ClusterID
	}
	return ""
}

// setLeads starts and stops the work that only the leader does.
func (n *Node) setLeads(leads bool) {
	if n.membership != nil {
		n.membership.setLeads(leads)
	}
}

// stallChanged blocks a leader that cannot write its log from its peers, so that
// they elect another: its main loop is blocked and cannot transfer leadership.
func (n *Node) stallChanged(stalled bool) {
	if stalled {
		n.log.Error("log writes hang")
	} else {
		n.log.Warn("log writes work again")
	}
	if n.stream != nil && !n.isOut.Load() {
		var reason error
		if stalled && n.raft.State() == raft.Leader {
			reason = errWritesStalled
		}
		n.stream.block(reason)
	}
	n.lead.setStalled(stalled)
}

// spawn runs f until the node closes.
func (n *Node) spawn(f func(context.Context)) { n.wg.Go(func() { f(n.ctx) }) }

// Close transfers leadership, finishes the requests in flight and stops. ctx
// bounds the time for that; when it ends the requests are aborted.
func (n *Node) Close(ctx context.Context) error {
	n.closeOnce.Do(func() { n.closeErr = n.tearDown(ctx) })
	return n.closeErr
}

func (n *Node) tearDown(ctx context.Context) error {
	err := n.teardown.Close(ctx)
	n.cancel()
	return err
}

// handOver transfers leadership before this leader stops. If that fails the
// others elect a leader after a timeout.
func (n *Node) handOver(ctx context.Context) error {
	if len(n.voters()) < 2 {
		return nil
	}
	if err := n.TransferLeadership(ctx, ""); err != nil && !errors.Is(err, raft.ErrNotLeader) {
		n.log.Warn("cannot transfer leadership", "error", err)
	}
	return nil
}

// stopBackground stops every goroutine of this package.
func (n *Node) stopBackground(ctx context.Context) error {
	n.cancel()
	done := make(chan error)
	go func() { n.wg.Wait(); close(done) }()
	return waitStopped(ctx, "background work", done)
}

// shutdownRaft stops Raft, whose goroutines may be waiting for peers.
func (n *Node) shutdownRaft(ctx context.Context) error {
	future := n.raft.Shutdown()
	close(n.stopped)
	if n.stream != nil {
		n.stream.block(errStopped)
	}
	done := make(chan error, 1)
	go func() { done <- future.Error() }()
	return waitStopped(ctx, "raft", done)
}

// waitStopped waits for a part to stop. It waits a little even when requests in
// flight have used up Close's time: the next teardown closes the part's files.
func waitStopped(ctx context.Context, part string, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("%s: not stopped after %s", part, stopTimeout)
	}
}
