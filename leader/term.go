package leader

import (
	"context"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// term is the leader's memory for as long as it leads.
type term struct {
	*Service
	ctx context.Context // ends with the leadership

	mu        sync.Mutex          // guards all below, attempts and nodes included
	attempts  map[string]*attempt // by job id: those that go on
	nodes     map[string]*node
	deadlines deadlines
	earlier   chan struct{} // holds one token when a deadline earlier than all others came in
	work      chan struct{} // holds one token when resting claims may be woken
	waiters   waiters       // has its own lock

	// Only run uses these: waking claims takes at most a tenth of its time.
	paced  time.Time // when claims may be woken again
	undone bool      // they were to be woken before that
}

// attempt is one that goes on.
type attempt struct {
	place
	jobID   string
	seq     uint64
	number  int
	lease   string
	node    *node
	sealed  bool
	paused  bool
	listed  bool      // the node has shown in a heartbeat that it knows of it
	expires time.Time // monotonic
	timeout time.Time // zero: none
	over    bool
	// postponed is when a due attempt is looked at again after a proposal to
	// end it has failed.
	postponed time.Time

	progress int
	detail   *ffrtmp.Progress
	reported time.Time // when progress and detail came; zero: the state knows better
	unsaved  bool      // the state does not have them yet
	log      *Log
}

// due is when the attempt's lease or time runs out, whichever comes first.
func (a *attempt) due() time.Time {
	if a.over || a.sealed {
		return time.Time{}
	}
	at := a.expires
	if !a.timeout.IsZero() && a.timeout.Before(at) {
		at = a.timeout
	}
	if a.postponed.After(at) {
		at = a.postponed
	}
	return at
}

// load reads the state that every command committed before this term has made.
func (s *Service) load(ctx context.Context) (*term, error) {
	if err := s.cfg.Cluster.Barrier(ctx); err != nil {
		return nil, err
	}
	t := &term{
		Service:  s,
		ctx:      ctx,
		attempts: map[string]*attempt{},
		nodes:    map[string]*node{},
		earlier:  make(chan struct{}, 1),
		work:     make(chan struct{}, 1),
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

// close wakes everybody who waits for this term.
func (t *term) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.attempts {
		a.log.abandon()
	}
}

// add begins to watch an attempt that goes on, with a full lease. The caller holds
// mu, or has the term to itself.
func (t *term) add(r store.Attempt) {
	n := t.nodes[r.NodeID]
	if n == nil || r.Lost {
		return
	}
	now := time.Now()
	a := &attempt{
		jobID: r.JobID, seq: r.Seq, number: r.Attempt, lease: r.Lease, node: n,
		sealed: r.Sealed, paused: r.Status == ffrtmp.Paused,
		expires: now.Add(n.ttl(t.cfg.LeaseTTL)), timeout: timeoutOf(&r), log: newLog(),
	}
	t.drop(r.JobID, "")
	t.attempts[a.jobID] = a
	n.held[a.jobID] = a
	t.watch(a)
}

// timeoutOf is when an attempt has outlived its timeout on the monotonic clock,
// zero for one that has none or whose time stands still because it is paused.
func timeoutOf(r *store.Attempt) time.Time {
	if r.TimeoutAt.IsZero() {
		return time.Time{}
	}
	return time.Now().Add(time.Until(r.TimeoutAt) + timeoutGrace)
}

// drop forgets the attempt of a job, whose log ends with tail.
func (t *term) drop(jobID, tail string) {
	a := t.attempts[jobID]
	if a == nil {
		return
	}
	a.over = true
	a.log.finish(tail)
	delete(t.attempts, jobID)
	delete(a.node.held, jobID)
	a.node.wake()
}

// watch puts a deadline into the queue and makes run look at it.
func (t *term) watch(x timed) {
	t.deadlines.watch(x)
	select {
	case t.earlier <- struct{}{}:
	default:
	}
}
