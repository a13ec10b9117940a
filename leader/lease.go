package leader

import (
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// renewAll renews every lease of a node that does not list its attempts, and reclaims its
// lost ones.
func (t *term) renewAll(n *node) error {
	if held := t.cfg.State.NodeAttempts(n.id); slices.ContainsFunc(held, isLost) {
		if err := t.reclaim(n, held); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	expires := time.Now().Add(n.ttl(t.cfg.LeaseTTL))
	for _, a := range n.held {
		a.expires = expires
	}
	return nil
}

// report renews the attempts that the node lists, and reclaims lost ones among them.
func (t *term) report(n *node, reports []ffrtmp.AttemptReport) error {
	var unknown []*ffrtmp.AttemptReport
	for i := range reports {
		if r := &reports[i]; !t.renew(n, r) {
			unknown = append(unknown, r)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := t.reclaim(n, t.heldBy(n, unknown)); err != nil {
		return err
	}
	for _, r := range unknown {
		t.renew(n, r)
	}
	return nil
}

// renew renews one attempt and records its progress and log, if it is the node's.
func (t *term) renew(n *node, r *ffrtmp.AttemptReport) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.attempts[r.JobID]
	if !a.is(n, r.Attempt, r.Lease) {
		return false
	}
	now := time.Now()
	a.expires, a.listed = now.Add(n.ttl(t.cfg.LeaseTTL)), true
	if r.Detail != nil || r.Progress > 0 {
		a.progress, a.detail, a.reported, a.unsaved = int(r.Progress), r.Detail, now, true
	}
	switch {
	case r.LogTail == "":
	case r.LogOffset == nil:
		a.log.extend(r.LogTail)
	default:
		a.log.append(*r.LogOffset, r.LogTail)
	}
	return true
}

func isLost(r store.Attempt) bool { return r.Lost }

// reclaim returns lost attempts to their node, unless another node has claimed the job
// since. It also watches those that a result has reclaimed.
func (t *term) reclaim(n *node, held []store.Attempt) error {
	held = slices.DeleteFunc(held, func(r store.Attempt) bool { return !isLost(r) })
	if len(held) > 0 {
		_, changed, err := t.cfg.Proposer.Reclaim(t.ctx, n.id, held)
		if err != nil {
			return err
		}
		if len(changed.Attempts) > 0 {
			t.cfg.Logger.Info("lost attempts reclaimed", "node", n.id, "attempts", len(changed.Attempts))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.cfg.State.NodeAttempts(n.id) {
		if t.attempts[r.JobID] == nil {
			t.add(r)
		}
	}
	return nil
}

// heldBy returns those of the reported attempts that are the node's in the state, lost
// ones that it may reclaim included.
func (t *term) heldBy(n *node, reports []*ffrtmp.AttemptReport) []store.Attempt {
	return slices.DeleteFunc(t.cfg.State.NodeAttempts(n.id), func(known store.Attempt) bool {
		return !slices.ContainsFunc(reports, func(r *ffrtmp.AttemptReport) bool {
			return r.JobID == known.JobID && r.Attempt == known.Attempt && sameLease(r.Lease, known.Lease)
		})
	})
}

// expireLeases proposes that attempts with expired leases are lost. Some may have ended or
// been sealed meanwhile: the state decides.
func (t *term) expireLeases(attempts []*attempt) {
	if len(attempts) == 0 {
		return
	}
	// A claim that a silent node has left open would get, as a new attempt, the very job
	// that the node may reclaim.
	silent := make(map[string]bool, len(attempts))
	for _, a := range attempts {
		silent[a.node.id] = true
	}
	t.waiters.dismiss(silent)
	lost := t.propose(attempts, t.cfg.Proposer.Expire)
	if lost == nil {
		return
	}
	for _, a := range attempts {
		renewed := t.end(a)
		if !lost[a.AttemptID] {
			continue
		}
		t.cfg.Logger.Warn("lease expired, attempt lost", "job", a.JobID, "attempt", a.AttemptID.Attempt, "node",
			a.node.id)
		if renewed {
			// A heartbeat arrived while the loss was being committed. Its answer confirmed the
			// lease, so the node must keep the attempt.
			known := []*ffrtmp.AttemptReport{{JobID: a.JobID, Attempt: a.AttemptID.Attempt, Lease: a.Lease}}
			if err := t.reclaim(a.node, t.heldBy(a.node, known)); err != nil {
				t.cfg.Logger.Warn("cannot reclaim an attempt renewed while it expired; waiting for the next heartbeat",
					"job", a.JobID, "node", a.node.id, "error", err)
			}
		}
	}
	if len(lost) < len(attempts) {
		t.reconcileAll() // some may have just been sealed: they keep running
	}
}
