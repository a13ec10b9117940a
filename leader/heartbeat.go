package leader

import (
	"context"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// reportsPerSecond is what heartbeats of the whole fleet should come to.
const reportsPerSecond = 500

// HeartbeatTiming is what a node is told about its heartbeats.
type HeartbeatTiming struct {
	LeaseTTL time.Duration
	Report   time.Duration // how often to report
}

// Heartbeat renews what the node lists, or with a nil heartbeat, and for a node of
// v2.2 with any, all that it holds, and returns what the node is to do. With a wait it
// returns when there is something new to do, at the latest after the wait or a third
// of the lease time.
func (s *Service) Heartbeat(ctx context.Context, nodeID string, h *ffrtmp.Heartbeat) ([]ffrtmp.Command, HeartbeatTiming, error) {
	t, err := s.leading()
	if err != nil {
		return nil, HeartbeatTiming{}, err
	}
	n, err := t.node(nodeID)
	if err != nil {
		return nil, HeartbeatTiming{}, err
	}
	timing := t.timing(n)
	if h == nil || t.isLegacy(n) {
		if err := t.renewAll(n); err != nil {
			return nil, timing, err
		}
	}
	if h == nil {
		return nil, timing, nil
	}
	if err := t.report(n, h.Attempts); err != nil {
		return nil, timing, err
	}
	timer := time.NewTimer(min(time.Duration(h.Wait), timing.LeaseTTL/3))
	defer timer.Stop()
	for {
		commands, changed, err := t.commands(ctx, n, h.Attempts)
		if err != nil {
			return nil, timing, err
		}
		if h.Wait <= 0 || t.news(n, commands) {
			t.tell(n, h.Attempts, commands)
			return commands, timing, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			t.tell(n, h.Attempts, commands)
			return commands, timing, nil
		case <-ctx.Done():
			return nil, timing, nil
		case <-t.ctx.Done():
			return nil, timing, nil
		}
	}
}

func (t *term) timing(n *node) HeartbeatTiming {
	t.mu.Lock()
	defer t.mu.Unlock()
	ttl := n.ttl(t.cfg.LeaseTTL)
	report := time.Duration(len(t.nodes)) * time.Second / reportsPerSecond
	return HeartbeatTiming{LeaseTTL: ttl, Report: min(max(report, time.Second), ttl/3)}
}

func (t *term) isLegacy(n *node) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return n.legacy
}

// renewAll renews every lease of a node that does not say what it holds. Attempts that
// were lost and that nobody else has claimed since become the node's again.
func (t *term) renewAll(n *node) error {
	if held := t.cfg.State.NodeAttempts(n.id); slices.ContainsFunc(held, isLost) {
		if err := t.takeBack(n, held); err != nil {
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

// report takes in what the node says of its attempts. Those that were lost and that
// nobody else has claimed since become the node's again.
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
	if err := t.takeBack(n, t.heldBy(n, unknown)); err != nil {
		return err
	}
	for _, r := range unknown {
		t.renew(n, r)
	}
	return nil
}

// renew renews one attempt and takes in its progress, if it is the node's.
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

// is reports whether a is the node's attempt of this number and lease.
func (a *attempt) is(n *node, number int, lease string) bool {
	return a != nil && a.node == n && a.number == number && sameLease(a.lease, lease)
}

func isLost(r store.Attempt) bool { return r.Lost }

// takeBack makes those of the attempts the node's again that were lost and that it may
// take back, and watches those again that a result has taken back.
func (t *term) takeBack(n *node, held []store.Attempt) error {
	held = slices.DeleteFunc(held, func(r store.Attempt) bool { return !isLost(r) })
	if len(held) > 0 {
		_, changed, err := t.cfg.Proposer.Reclaim(t.ctx, n.id, held)
		if err != nil {
			return err
		}
		if len(changed.Attempts) > 0 {
			t.cfg.Logger.Info("lost attempts taken back", "node", n.id, "attempts", len(changed.Attempts))
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

// heldBy returns those of the reported attempts that the state says are the node's,
// lost ones that nobody else has claimed since included.
func (t *term) heldBy(n *node, reports []*ffrtmp.AttemptReport) []store.Attempt {
	return slices.DeleteFunc(t.cfg.State.NodeAttempts(n.id), func(known store.Attempt) bool {
		return !slices.ContainsFunc(reports, func(r *ffrtmp.AttemptReport) bool {
			return r.JobID == known.JobID && r.Attempt == known.Attempt && sameLease(r.Lease, known.Lease)
		})
	})
}
