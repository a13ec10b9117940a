package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	snapshotsKept = 2
	// A snapshot is considered this often, and taken after this many entries, or
	// fewer of long ones.
	snapshotInterval  = 30 * time.Second
	snapshotThreshold = 8192
	// defaultTrailingLogs stay behind a snapshot, for followers that are a
	// little behind and for the day when the newest snapshot turns out damaged.
	defaultTrailingLogs = 32768
)

// stopTimeout is what each part is given to end beyond Close's own context.
const stopTimeout = 3 * time.Second

// soloTiming is a single master's: nobody can be slow to answer.
var soloTiming = Timing{Heartbeat: 50 * time.Millisecond, Election: 50 * time.Millisecond, Lease: 50 * time.Millisecond}

// Node is one running master of the cluster. Its methods are safe for
// concurrent use.
type Node struct {
	cfg      Config
	log      hclog.Logger
	id       identity
	hostname string
	own      atomic.Pointer[address]

	storage   *storage
	store     raftStore
	snaps     raft.SnapshotStore
	book      *addressBook
	formation *formation
	lead      *leadership
	watchdog  *watchdog
	space     *diskSpace // nil when no disk is watched
	raft      *raft.Raft

	// Nil on a single master, which opens no port.
	stream     *streamLayer
	peers      *peerClient
	gossip     *gossip
	hint       *crashHint
	membership *membership

	applySeconds prometheus.Histogram
	barrierTerm  atomic.Uint64
	started      time.Time
	sizes        *meanSize    // of log entries; nil in memory
	full         *atomic.Bool // the log's last write found no room; nil in memory
	caughtUp     atomic.Bool
	verifier     leaderVerifier
	failed       chan error
	failureErr   atomic.Pointer[error]
	notify       chan bool // Raft tells of this master's leadership

	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	stopped chan struct{} // closed when Raft is shut down

	closeOnce sync.Once
	closeErr  error
	teardown  []func(context.Context) error // run last to first
}

// Open starts a master. When it returns an error nothing is left running.
func Open(cfg Config, sm StateMachine) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown"
	}
	n := &Node{
		cfg: cfg, log: cfg.Logger, hostname: hostname,
		applySeconds: newApplySeconds(), started: time.Now(),
		failed: make(chan error, 1), stopped: make(chan struct{}),
		notify: make(chan bool, 8),
	}
	n.own.Store(&address{})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.open(sm); err != nil {
		ctx, cancel := timeoutContext(5 * time.Second)
		defer cancel()
		return nil, errors.Join(err, n.tearDown(ctx))
	}
	return n, nil
}

// open builds the parts in the order in which they need each other. Each part
// pushes what undoes it.
func (n *Node) open(sm StateMachine) error {
	if err := n.openDir(); err != nil {
		return err
	}
	if err := n.openStores(); err != nil {
		return err
	}
	restore, err := (&recovery{sm: sm, store: n.store, snaps: n.snaps, log: n.log}).prepare()
	if err != nil {
		return err
	}
	n.lead = newLeadership(n.id.ID, n.leads)
	n.watchdog.changed = n.stallChanged
	if !n.cfg.networked() {
		_, trans := raft.NewInmemTransport(raft.ServerAddress(n.id.ID))
		if err := n.openRaft(sm, trans, restore); err != nil {
			return err
		}
		n.formation.bootstrap = func(c raft.Configuration) error { return n.raft.BootstrapCluster(c).Error() }
		if err := n.formSolo(); err != nil {
			return err
		}
		n.start()
		return n.openMetrics()
	}
	trans, serve, err := n.openPeerPort()
	if err != nil {
		return err
	}
	if err := n.openRaft(sm, trans, restore); err != nil {
		return err
	}
	if err := n.openGossip(); err != nil {
		return err
	}
	serve()
	n.start()
	return n.openMetrics()
}

// start follows leadership once every part that it concerns is there.
func (n *Node) start() {
	n.spawn(func(ctx context.Context) { n.lead.run(ctx, n.notify) })
	n.spawn(n.catchUp)
	if n.sizes != nil {
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
	n.defers(func(context.Context) error { return n.storage.close() })
	if n.cfg.DiskReserve > 0 && !n.storage.inMemory() {
		n.space = &diskSpace{reserve: n.cfg.DiskReserve, free: n.cfg.diskFree}
	}
	if n.id, err = openIdentity(n.storage, n.cfg.NodeID); err != nil {
		return err
	}
	if n.book, err = openAddressBook(n.storage, n.log); err != nil {
		return err
	}
	n.formation, err = openFormation(n.storage, n.id.ID, n.cfg.Expect, n.log.Named("formation"))
	return err
}

// openStores opens log and snapshots, with the watchdog over the log's writes.
func (n *Node) openStores() error {
	clock := &writeClock{}
	n.watchdog = &watchdog{clock: clock}
	if n.storage.inMemory() {
		n.store, n.snaps = raft.NewInmemStore(), raft.NewInmemSnapshotStore()
		return nil
	}
	store, err := openDiskStore(n.storage.file("raft.db"), clock, n.fail)
	if err != nil {
		return err
	}
	n.defers(func(context.Context) error { return store.close() })
	n.store, n.sizes, n.full = store, &store.sizes, &store.full
	snapLog := n.log.Named("snapshot")
	if n.snaps, err = raft.NewFileSnapshotStoreWithLogger(n.storage.path, snapshotsKept, snapLog); err != nil {
		return fmt.Errorf("snapshots: %w", err)
	}
	return setDamagedSnapshotsAside(n.storage.path, n.snaps, snapLog)
}

// openRaft starts Raft on what recovery has left.
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
	conf.ShutdownOnRemove = false // a removed master waits to be added again
	conf.NoLegacyTelemetry = true
	r, err := raft.NewRaft(conf, sm, n.store, n.store, n.snaps, trans)
	if err != nil {
		return fmt.Errorf("raft: %w", err)
	}
	n.raft = r
	n.defers(n.shutdownRaft)
	r.RegisterObserver(raft.NewObserver(nil, false, n.lead.observe))
	n.formation.history = func() bool { return r.LastIndex() > 0 || r.CurrentTerm() > 0 }

	n.defers(n.stopBackground)
	n.spawn(n.watchdog.run)
	return nil
}

// formSolo makes a single master a cluster of one.
func (n *Node) formSolo() error {
	if servers := n.servers(); len(servers) > 1 {
		return fmt.Errorf("%s belongs to a cluster of %d masters: a single master cannot run on it "+
			"(give the others to join, or another directory)", n.cfg.Dir, len(servers))
	}
	n.book.learn(n.id.ID, n.ownAddress())
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
		n.defers(func(context.Context) error { n.cfg.Metrics.Unregister(c); return nil })
	}
	return nil
}

// ID returns this master's identity.
func (n *Node) ID() string { return n.id.ID }

// ClusterID returns the id of the cluster that this master is a member of, ""
// until it is formed.
func (n *Node) ClusterID() string {
	if p := n.formation.current(); p.Formed {
		return p.ClusterID
	}
	return ""
}

// leads begins and ends what only the leader does.
func (n *Node) leads(leads bool) {
	if n.membership != nil {
		n.membership.setLeads(leads)
	}
}

// stallChanged keeps a leader that cannot write its log away from its peers,
// so that they elect another: its main loop is blocked and could not hand
// leadership over.
func (n *Node) stallChanged(stalled bool) {
	if stalled {
		n.log.Error("log writes hang")
	} else {
		n.log.Warn("log writes go on")
	}
	if n.stream != nil {
		var why error
		if stalled && n.raft.State() == raft.Leader {
			why = errWritesStalled
		}
		n.stream.block(why)
	}
	n.lead.setStalled(stalled)
}

// spawn runs f until the node closes.
func (n *Node) spawn(f func(context.Context)) { n.wg.Go(func() { f(n.ctx) }) }

func (n *Node) defers(f func(context.Context) error) { n.teardown = append(n.teardown, f) }

// Close hands leadership over, finishes the requests in flight and stops. ctx
// bounds the time for that; when it ends the rest is cut short.
func (n *Node) Close(ctx context.Context) error {
	n.closeOnce.Do(func() { n.closeErr = n.tearDown(ctx) })
	return n.closeErr
}

func (n *Node) tearDown(ctx context.Context) error {
	var errs []error
	for i := len(n.teardown) - 1; i >= 0; i-- {
		errs = append(errs, n.teardown[i](ctx))
	}
	n.teardown = nil
	n.cancel()
	return errors.Join(errs...)
}

// handOver lets a follower take over before this leader goes. When that fails
// the others find out by themselves.
func (n *Node) handOver(ctx context.Context) error {
	if len(n.voters()) < 2 {
		return nil
	}
	if err := n.TransferLeadership(ctx); err != nil && !errors.Is(err, raft.ErrNotLeader) {
		n.log.Warn("leadership is not handed over", "error", err)
	}
	return nil
}

// stopBackground ends every goroutine of this package.
func (n *Node) stopBackground(ctx context.Context) error {
	n.cancel()
	done := make(chan error)
	go func() { n.wg.Wait(); close(done) }()
	return within(ctx, "background work", done)
}

// shutdownRaft stops Raft; its goroutines may be waiting for peers.
func (n *Node) shutdownRaft(ctx context.Context) error {
	future := n.raft.Shutdown()
	close(n.stopped)
	if n.stream != nil {
		n.stream.block(errStopped)
	}
	done := make(chan error, 1)
	go func() { done <- future.Error() }()
	return within(ctx, "raft", done)
}

// within waits for a part to end, for a while even when requests in flight have
// used up the time that Close was given: what follows closes its files.
func within(ctx context.Context, part string, done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(stopTimeout):
		return fmt.Errorf("%s does not end", part)
	}
}
