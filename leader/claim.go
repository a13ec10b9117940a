package leader

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Claim returns up to maximum attempts that the node now holds, each with its lease: first
// those that it has never listed in a heartbeat (the answer that named them was lost), else
// newly claimed ones. Without any it waits for work. It returns none when the wait or ctx
// ends, leadership moves, or a lease of the node expires.
func (s *Service) Claim(ctx context.Context, nodeID string, maximum int,
	wait time.Duration,
) (uint64, []ffrtmp.Job, error) {
	t, n, err := s.contact(nodeID)
	if err != nil {
		return 0, nil, err
	}
	if unlisted := t.unlisted(n, maximum); len(unlisted) > 0 {
		jobs, err := t.cfg.State.Claims(unlisted) //nolint:contextcheck // the writer's reads cannot be canceled
		if err != nil || len(jobs) > 0 {
			return 0, jobs, err
		}
	}
	return t.claim(ctx, n, maximum, wait)
}

// Next claims one job for a v2.2 node, or returns none. It never returns one that the node
// already holds, because v2.2's agents would run it twice. The exception is a request that
// is repeated because its answer was lost between two masters: it gets the same job again,
// or the node's empty heartbeats would renew a job that it does not know of.
func (s *Service) Next(ctx context.Context, nodeID, requestID string) (uint64, []ffrtmp.Job, error) {
	t, n, err := s.contact(nodeID)
	if err != nil {
		return 0, nil, err
	}
	lease := fsm.LeaseOf(nodeID, requestID)
	for _, r := range t.cfg.State.NodeAttempts(nodeID) {
		if r.Lease == lease && !r.Lost {
			jobs, err := t.cfg.State.Claims([]store.Attempt{r}) //nolint:contextcheck // as in Claim
			return 0, jobs, err
		}
	}
	if !t.cfg.State.HasReady(nodeID, time.Now()) {
		return 0, nil, nil
	}
	index, claimed, err := t.cfg.Proposer.ClaimAs(t.ctx, nodeID, lease) //nolint:contextcheck // ends with the term
	if err != nil || len(claimed) == 0 {
		return index, nil, err
	}
	jobs, err := t.started(n, claimed) //nolint:contextcheck // as in Claim
	return index, jobs, err
}

// contact returns the term and the node that makes a request.
func (s *Service) contact(nodeID string) (*term, *node, error) {
	t, err := s.leading()
	if err != nil {
		return nil, nil, err
	}
	n, err := t.contact(nodeID)
	return t, n, err
}

// claim claims attempts for a node, waiting until some are ready.
func (t *term) claim(ctx context.Context, n *node, maximum int, wait time.Duration) (uint64, []ffrtmp.Job, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	w := newWaiter(n.id)
	defer func() {
		if t.waiters.leave(w) {
			t.signalWork()
		}
	}()
	for {
		if t.waiters.idle(w) {
			t.signalWork()
		}
		if !t.cfg.State.HasReady(n.id, time.Now()) {
			select {
			case <-w.wake:
				if !t.cfg.State.HasReady(n.id, time.Now()) {
					continue // another waiter has claimed the job
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
		t.waiters.claiming(w)
		// Not the client's context: a claimed attempt must be watched even if the client has
		// disconnected.
		index, claimed, err := t.cfg.Proposer.Claim(t.ctx, n.id, maximum) //nolint:contextcheck // ends with the term
		if err != nil {
			return 0, nil, err
		}
		if len(claimed) > 0 {
			jobs, err := t.started(n, claimed) //nolint:contextcheck // as in Claim
			return index, jobs, err
		}
	}
}

// signalWork makes run wake idle claims if there is work.
func (t *term) signalWork() {
	select {
	case t.workReady <- struct{}{}:
	default:
	}
}

// started starts watching new attempts, and returns their jobs.
func (t *term) started(n *node, claimed []store.Attempt) ([]ffrtmp.Job, error) {
	t.mu.Lock()
	for _, c := range claimed {
		t.add(
			store.Attempt{AttemptID: c.AttemptID, JobID: c.JobID, Lease: c.Lease, NodeID: n.id, TimeoutAt: c.TimeoutAt})
	}
	t.mu.Unlock()
	return t.cfg.State.Claims(claimed)
}

// unlisted returns, oldest first, attempts that the node holds but has not yet listed.
func (t *term) unlisted(n *node, maximum int) []store.Attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []store.Attempt
	for _, a := range n.held {
		if !a.listed && !a.Sealed {
			found = append(found, a.Attempt)
		}
	}
	slices.SortFunc(found, func(a, b store.Attempt) int { return cmp.Compare(a.Seq, b.Seq) })
	return found[:min(maximum, len(found))]
}
