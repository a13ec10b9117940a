package leader

import (
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Claim returns up to maximum attempts that the node now holds, each with its
// lease: first those that it holds but has never listed (the answer that named them
// was lost), else newly claimed ones. Without any it waits for work; a wait that
// ends, is given up, or outlives the leadership or a lease of the node returns none.
func (s *Service) Claim(ctx context.Context, nodeID string, maximum int, wait time.Duration) (uint64, []ffrtmp.Job, error) {
	t, err := s.leading()
	if err != nil {
		return 0, nil, err
	}
	n, err := t.node(nodeID)
	if err != nil {
		return 0, nil, err
	}
	if again := t.unlisted(n, maximum); len(again) > 0 {
		jobs, err := t.cfg.State.Claims(ctx, again)
		if err != nil || len(jobs) > 0 {
			return 0, jobs, err
		}
	}
	return t.claim(ctx, n, maximum, wait)
}

// Next claims one job for a node of v2.2, or returns none. It never names one that
// the node holds already, for v2.2's agents would run it twice; but a request that is
// repeated, because its answer was lost between two masters, names the same job again.
// That node's empty heartbeats would keep another one for ever.
func (s *Service) Next(ctx context.Context, nodeID, requestID string) (uint64, []ffrtmp.Job, error) {
	t, err := s.leading()
	if err != nil {
		return 0, nil, err
	}
	n, err := t.node(nodeID)
	if err != nil {
		return 0, nil, err
	}
	lease := fsm.LeaseOf(nodeID, requestID)
	for _, r := range t.cfg.State.NodeAttempts(nodeID) {
		if r.Lease == lease && !r.Lost {
			jobs, err := t.cfg.State.Claims(ctx, []store.Attempt{r})
			return 0, jobs, err
		}
	}
	if !t.cfg.State.HasReady(nodeID, time.Now()) {
		return 0, nil, nil
	}
	index, claimed, err := t.cfg.Proposer.ClaimAs(t.ctx, nodeID, lease)
	if err != nil || len(claimed) == 0 {
		return index, nil, err
	}
	jobs, err := t.started(ctx, n, claimed)
	return index, jobs, err
}

func (t *term) claim(ctx context.Context, n *node, maximum int, wait time.Duration) (uint64, []ffrtmp.Job, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	w := newWaiter(n.id)
	defer func() {
		if t.waiters.leave(w) {
			t.nudge()
		}
	}()
	for {
		if t.waiters.rest(w) {
			t.nudge()
		}
		if !t.cfg.State.HasReady(n.id, time.Now()) {
			select {
			case <-w.wake:
				if !t.cfg.State.HasReady(n.id, time.Now()) {
					continue // another was faster
				}
			case <-w.dismissed:
				return 0, nil, nil
			case <-timer.C:
				return 0, nil, nil
			case <-ctx.Done():
				return 0, nil, nil
			case <-t.ctx.Done():
				return 0, nil, nil
			}
		}
		t.waiters.look(w)
		// Not the client's context: an attempt that is claimed must be watched,
		// even when its node has gone.
		index, claimed, err := t.cfg.Proposer.Claim(t.ctx, n.id, maximum)
		if err != nil {
			return 0, nil, err
		}
		if len(claimed) > 0 {
			jobs, err := t.started(ctx, n, claimed)
			return index, jobs, err
		}
	}
}

// nudge makes run look whether work can wake somebody.
func (t *term) nudge() {
	select {
	case t.work <- struct{}{}:
	default:
	}
}

// started begins to watch new attempts, and returns their jobs.
func (t *term) started(ctx context.Context, n *node, claimed []store.Attempt) ([]ffrtmp.Job, error) {
	t.mu.Lock()
	for _, c := range claimed {
		t.add(store.Attempt{AttemptID: c.AttemptID, JobID: c.JobID, Lease: c.Lease, NodeID: n.id, TimeoutAt: c.TimeoutAt})
	}
	t.mu.Unlock()
	return t.cfg.State.Claims(ctx, claimed)
}

// unlisted returns, oldest first, attempts that the node holds but does not seem to
// know of.
func (t *term) unlisted(n *node, maximum int) []store.Attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []store.Attempt
	for _, a := range n.held {
		if !a.listed && !a.sealed {
			found = append(found, store.Attempt{AttemptID: a.id(), JobID: a.jobID, Lease: a.lease})
		}
	}
	slices.SortFunc(found, func(a, b store.Attempt) int { return cmp.Compare(a.Seq, b.Seq) })
	return found[:min(maximum, len(found))]
}

// sameLease compares leases in constant time.
func sameLease(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
