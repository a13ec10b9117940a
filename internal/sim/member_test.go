package sim

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/leader"
)

// leaseTTL is short, so that leases expire during a simulation.
const leaseTTL = 5 * time.Second

// member is a master. Its stores survive crashes, like a disk.
type member struct {
	t         *testing.T
	id        raft.ServerID
	dir       string
	logs      *raft.InmemStore
	snapshots *raft.InmemSnapshotStore

	// Parts of the running process, nil while it is down.
	transport *raft.InmemTransport
	raft      *raft.Raft
	state     *fsm.FSM
	proposer  *fsm.Proposer
	leader    *leader.Service
	stop      context.CancelFunc
	stopped   chan struct{}
}

func newMember(t *testing.T, id raft.ServerID) *member {
	return &member{
		t: t, id: id, dir: filepath.Join(t.TempDir(), string(id)),
		logs: raft.NewInmemStore(), snapshots: raft.NewInmemSnapshotStore(),
	}
}

func (m *member) up() bool { return m.raft != nil }

// start opens the state of the previous process and joins again.
func (m *member) start() {
	var err error
	m.state, err = fsm.Open(fsm.Options{Path: filepath.Join(m.dir, "master.db"), Dir: m.dir})
	if err != nil {
		m.t.Fatalf("%s: open state: %v", m.id, err)
	}
	if err := m.state.Verify(); err != nil {
		m.t.Fatalf("%s: verify state after a restart: %v", m.id, err)
	}
	_, m.transport = raft.NewInmemTransportWithTimeout(raft.ServerAddress(m.id), 250*time.Millisecond)
	cfg := raft.DefaultConfig()
	cfg.LocalID = m.id
	cfg.HeartbeatTimeout, cfg.ElectionTimeout = 500*time.Millisecond, 500*time.Millisecond
	cfg.LeaderLeaseTimeout = 250 * time.Millisecond
	cfg.NoSnapshotRestoreOnStart = true // the state is kept
	cfg.TrailingLogs = 50               // followers need snapshots after an outage
	cfg.SnapshotThreshold = 200
	cfg.SnapshotInterval = 5 * time.Second
	cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	leadership := make(chan bool, 64)
	cfg.NotifyCh = leadership
	if m.raft, err = raft.NewRaft(cfg, m.state, m.logs, m.logs, m.snapshots, m.transport); err != nil {
		m.t.Fatalf("%s: start Raft: %v", m.id, err)
	}
	m.proposer = fsm.NewProposer(replicated{m.raft},
		fsm.ProposerOptions{MaxRetries: 2, RetryBase: time.Second, RetryCap: 5 * time.Second})
	m.leader = leader.New(leader.Config{
		State: m.state, Proposer: m.proposer, Cluster: leads{m.raft, leadership}, LeaseTTL: leaseTTL,
		Logger: cfg.Logger,
	})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	m.stop, m.stopped = cancel, stopped
	go func() {
		defer close(stopped)
		m.leader.Run(ctx)
	}()
}

// crash ends the process: calls in flight get no response, and memory is lost.
func (m *member) crash() {
	if err := m.raft.Shutdown().Error(); err != nil {
		m.t.Fatalf("%s: %v", m.id, err)
	}
	m.stop()
	<-m.stopped
	if err := m.state.Close(); err != nil {
		m.t.Fatalf("%s: close state: %v", m.id, err)
	}
	if err := m.transport.Close(); err != nil {
		m.t.Fatalf("%s: %v", m.id, err)
	}
	m.raft, m.state, m.proposer, m.leader, m.transport = nil, nil, nil, nil, nil
}

// replicated is the proposer's log.
type replicated struct{ raft *raft.Raft }

func (r replicated) Apply(ctx context.Context, data []byte) (uint64, any, error) {
	f := r.raft.Apply(data, time.Second)
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		if err != nil {
			return 0, nil, err
		}
		return f.Index(), f.Response(), nil
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

// leads is the leader service's view of the cluster.
type leads struct {
	raft       *raft.Raft
	leadership <-chan bool
}

func (l leads) Leadership() <-chan bool { return l.leadership }

func (l leads) Barrier(context.Context) error { return l.raft.Barrier(5 * time.Second).Error() }
func (l leads) CommandLevel() int             { return fsm.Level }
