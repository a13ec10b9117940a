// Package leader is what only the leader does, in memory: it renews leases and
// ends those that nobody renews, lets agents wait for work and for commands, keeps
// live progress and logs, and notices nodes that have fallen silent.
//
// All of it is a function of the replicated state: a term of leadership begins by
// reading what runs, and ends by forgetting it. Whatever changes what users see
// is proposed as a command; heartbeats are not.
package leader

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Cluster tells the Service when it leads; cluster.Node has it.
type Cluster interface {
	// Leadership delivers the newest state; the Service is its only reader.
	Leadership() <-chan bool
	// Barrier returns when every earlier command is in the state.
	Barrier(ctx context.Context) error
}

// Config is what a Service is made of. All but Retention is required.
type Config struct {
	State    *fsm.FSM
	Proposer *fsm.Proposer
	Cluster  Cluster
	LeaseTTL time.Duration // how long an attempt outlives its node's last heartbeat
	Logger   hclog.Logger

	Retention time.Duration // how long a job is kept when it is over; 0: for ever
}

// LegacyTTL is the lease of attempts on v2.2's nodes, which send a heartbeat every
// 30 seconds and cannot be told to send more.
const LegacyTTL = 90 * time.Second

// Service does the leader's work while this master leads. Its methods may be
// called from any goroutine; those that need leadership return a NoLeader error
// without it.
type Service struct {
	cfg Config

	mu   sync.Mutex
	term *term // nil unless leading
}

// New returns a Service that does nothing until Run.
func New(cfg Config) *Service {
	return &Service{cfg: cfg}
}

// Run follows the leadership until ctx is done. Every term's work has ended when
// it returns.
func (s *Service) Run(ctx context.Context) {
	var stop func()
	defer func() {
		if stop != nil {
			stop()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
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

// begin starts a term and returns what ends it and waits until it has ended.
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

// lead is one term of leadership, from the barrier until ctx is done.
func (s *Service) lead(ctx context.Context) {
	t, err := s.load(ctx)
	for err != nil {
		s.cfg.Logger.Warn("the leader's work cannot begin yet", "error", err)
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
	var retaining sync.WaitGroup
	retaining.Go(t.retain)
	defer retaining.Wait()
	t.run()
}

func (s *Service) setTerm(t *term) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = t
}

// Leading reports whether this master leads and has everything that was committed
// before it did.
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
	return nil, ffrtmp.Errorf(ffrtmp.NoLeader, "this master does not lead, or not yet")
}
