// Package leader does what only the leader does, in memory: it renews and expires
// leases, holds the long polls of agents, keeps live progress and logs, and marks silent
// nodes offline.
//
// A term of leadership starts by reading the running attempts from the replicated state
// and discards everything when it ends. What users see changes only by commands;
// heartbeats are not replicated. DESIGN.md explains why.
package leader

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Cluster reports leadership; cluster.Node implements it. It keeps package cluster, and
// Raft with it, out of this one; tests fake it.
type Cluster interface {
	// Leadership delivers the newest state. The Service is its only reader.
	Leadership() <-chan bool
	// Barrier returns once every earlier command has been applied.
	Barrier(ctx context.Context) error
}

// Config configures a Service. All but Retention and what compares states is required.
type Config struct {
	State    *fsm.FSM
	Proposer *fsm.Proposer
	Cluster  Cluster
	LeaseTTL time.Duration // how long an attempt outlives its node's last heartbeat
	Logger   hclog.Logger

	Replicas      Replicas // nil: the masters' states are not compared
	CheckInterval time.Duration
	Checks        *StateChecks // required with Replicas

	Retention time.Duration // how long a finished job is kept; 0: without limit
}

// LegacyTTL is the lease of attempts on v2.2's nodes, which always send a
// heartbeat every 30 seconds.
const LegacyTTL = 90 * time.Second

// Service does the leader's work while this master leads. Its methods are safe for
// concurrent use; those that need leadership return a NoLeader error without it.
type Service struct {
	cfg Config

	mu   sync.Mutex
	term *term // nil unless leading
}

// New returns a Service that is idle until Run.
func New(cfg Config) *Service {
	return &Service{cfg: cfg}
}

// Run follows the leadership until ctx is done. No goroutine of a term is left when it
// returns.
func (s *Service) Run(ctx context.Context) {
	var stop func()
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	restored := s.cfg.State.Restored()
	for {
		select {
		case <-ctx.Done():
			return
		case <-restored:
			restored = s.cfg.State.Restored()
			if stop != nil { // all that the term knows is of the state before
				stop()
				stop = s.begin(ctx)
			}
		case leading := <-s.cfg.Cluster.Leadership():
			if stop != nil {
				stop()
				stop = nil
			}
			if leading {
				stop = s.begin(ctx)
			}
		}
	}
}

// begin starts a term. stop ends it and waits for it.
func (s *Service) begin(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.lead(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// lead runs one term of leadership until ctx is done.
func (s *Service) lead(ctx context.Context) {
	t, err := s.load(ctx)
	for err != nil {
		s.cfg.Logger.Warn("not ready to lead yet; retrying", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		t, err = s.load(ctx)
	}
	s.setTerm(t)
	defer func() {
		s.setTerm(nil)
		t.close()
	}()
	s.cfg.Logger.Info("leading", "running_attempts", len(t.attempts), "nodes", len(t.nodes))
	var background sync.WaitGroup
	background.Go(t.retain)
	background.Go(t.endPlacements)
	background.Go(t.compareStates)
	defer background.Wait()
	t.run()
}

func (s *Service) setTerm(t *term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = t
}

// Leading reports whether this master leads and has applied every command of earlier
// leaders.
func (s *Service) Leading() bool { return s.current() != nil }

func (s *Service) current() *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term
}

func (s *Service) leading() (*term, error) {
	if t := s.current(); t != nil && t.ctx.Err() == nil {
		return t, nil
	}
	return nil, ffrtmp.Errorf(ffrtmp.NoLeader, "this master is not the leader")
}
