package leader

import (
	"crypto/subtle"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// attempt is a running attempt: its row in the database, and its live state.
type attempt struct {
	store.Attempt
	queueEntry
	node    *node
	listed  bool      // a heartbeat of the node has listed it
	expires time.Time // monotonic
	timeout time.Time // zero: none
	ended   bool
	// postponed is when the proposal to end it is retried.
	postponed time.Time

	progress int
	detail   *ffrtmp.Progress
	reported time.Time // time of progress and detail; zero: use those of the state
	unsaved  bool      // progress and detail are not in the state yet
	log      *Log
}

// is reports whether a is the node's attempt with this number and lease.
func (a *attempt) is(n *node, number int, lease string) bool {
	return a != nil && a.node == n && a.AttemptID.Attempt == number && sameLease(a.Lease, lease)
}

func (a *attempt) paused() bool { return a.Status == ffrtmp.Paused }

// due returns when the attempt's lease expires or the attempt times out, whichever is first.
func (a *attempt) due() time.Time {
	if a.ended || a.Sealed {
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

// follow updates a to the state.
func (a *attempt) follow(r *store.Attempt) {
	if wasPaused := a.paused(); wasPaused != (r.Status == ffrtmp.Paused) {
		a.timeout = timeoutOf(r)
		a.node.wake()
	}
	a.Status, a.Sealed = r.Status, a.Sealed || r.Sealed
}

// add starts watching a running attempt, with a full lease. The caller holds mu, or is
// the only user of the term.
func (t *term) add(r store.Attempt) {
	n := t.nodes[r.NodeID]
	if n == nil || r.Lost {
		return
	}
	now := time.Now()
	a := &attempt{
		Attempt: r, node: n,
		expires: now.Add(n.ttl(t.cfg.LeaseTTL)), timeout: timeoutOf(&r), log: newLog(),
	}
	t.drop(r.JobID)
	t.attempts[a.JobID] = a
	n.held[a.JobID] = a
	t.watch(a)
}

// timeoutOf is when an attempt times out, on the monotonic clock; zero for one that has
// no timeout or is paused.
func timeoutOf(r *store.Attempt) time.Time {
	if r.TimeoutAt.IsZero() {
		return time.Time{}
	}
	return time.Now().Add(time.Until(r.TimeoutAt) + timeoutGrace)
}

// drop stops watching the attempt of a job and ends its log.
func (t *term) drop(jobID string) {
	a := t.attempts[jobID]
	if a == nil {
		return
	}
	a.ended = true
	a.log.finish(0, "")
	delete(t.attempts, jobID)
	delete(a.node.held, jobID)
	a.node.wake()
}

// end drops an attempt, unless its job has a newer one. It reports whether the lease was
// renewed meanwhile.
func (t *term) end(a *attempt) (renewed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.attempts[a.JobID] == a {
		t.drop(a.JobID)
	}
	return a.expires.After(time.Now())
}

func ids(attempts []*attempt) []store.AttemptID {
	list := make([]store.AttemptID, len(attempts))
	for i, a := range attempts {
		list[i] = a.AttemptID
	}
	return list
}

func asSet(c fsm.Changed) map[store.AttemptID]bool {
	set := make(map[store.AttemptID]bool, len(c.Attempts))
	for _, id := range c.Attempts {
		set[id] = true
	}
	return set
}

// sameLease compares leases in constant time.
func sameLease(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
