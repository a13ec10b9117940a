package leader

import (
	"context"
	"sync"
	"time"
)

// term is what the leader knows while it leads.
type term struct {
	*Service
	ctx context.Context // ends with the leadership

	mu          sync.Mutex          // guards all below, attempts and nodes included
	attempts    map[string]*attempt // running ones, by job id
	nodes       map[string]*node
	deadlines   deadlines
	rescheduled chan struct{} // holds one token when the earliest deadline has changed
	workReady   chan struct{} // holds one token when idle claims may be woken
	waiters     waiters       // has its own lock

	// Used by run only: waking claims takes at most a tenth of its time.
	nextDispatch time.Time // claims are woken again no earlier
	dispatchDue  bool      // claims are to be woken then
}

// load starts a term from the state, once every earlier command has been applied.
func (s *Service) load(ctx context.Context) (*term, error) {
	if err := s.cfg.Cluster.Barrier(ctx); err != nil {
		return nil, err
	}
	t := &term{
		Service:     s,
		ctx:         ctx,
		attempts:    map[string]*attempt{},
		nodes:       map[string]*node{},
		rescheduled: make(chan struct{}, 1),
		workReady:   make(chan struct{}, 1),
	}
	nodes := s.cfg.State.Nodes()
	for i := range nodes {
		t.addNode(&nodes[i])
	}
	for _, r := range s.cfg.State.Running() {
		t.add(r)
	}
	return t, nil
}

// close ends the logs that are being followed.
func (t *term) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.attempts {
		a.log.abandon()
	}
}
