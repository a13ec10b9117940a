package fsm

import (
	"fmt"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// place sets whether the node gets new attempts, and forgets what the circuit breaker has counted.
func (n *node) place(e ffrtmp.Eligibility, until time.Time) {
	n.Eligibility, n.EligibilityUntil, n.EligibilityReason, n.Failures = e, until, "", 0
}

// NodesDue are the nodes whose EligibilityUntil has come, in order.
func (f *FSM) NodesDue(now time.Time) []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil
	}
	var due []string
	for id, n := range f.state.nodes.byID {
		if !n.Removed && !n.EligibilityUntil.IsZero() && !n.EligibilityUntil.After(now) {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	return due
}

// placementDue ends what has a time: a draining node's remaining attempts, and the cordon of the circuit breaker.
type placementDue struct {
	v1
	nodes []string
}

func (*placementDue) kind() Kind            { return KindPlacementDue }
func (c *placementDue) encode(e *encoder)   { e.strings(c.nodes) }
func decodePlacementDue(d *decoder) command { return &placementDue{nodes: d.strings()} }
func (c *placementDue) due(t *tx, n *node) bool {
	return !n.EligibilityUntil.IsZero() && n.EligibilityUntil.UnixNano() <= t.now
}

func (c *placementDue) apply(t *tx) any {
	var changed Changed
	for _, id := range c.nodes {
		n, err := t.nodes.find(id)
		if err != nil || !c.due(t, n) {
			continue
		}
		if n.Eligibility == ffrtmp.Draining {
			changed.Attempts = append(changed.Attempts, t.evict(n)...)
			n.EligibilityUntil = time.Time{}
		} else {
			n.place(ffrtmp.Eligible, time.Time{})
			t.event(ffrtmp.NodeAdmitted, n)
		}
		t.write(n)
	}
	return changed
}

// evict requeues what a node runs, except what it is just publishing. That counts neither as a retry nor as a loss, and
// the node cannot reclaim it.
func (t *tx) evict(n *node) (evicted []store.AttemptID) {
	for _, j := range n.sorted() {
		switch j.hold {
		case store.HoldLost:
			t.releaseLost(j)
		case store.HoldActive:
			evicted = append(evicted, store.AttemptID{Seq: j.seq, Attempt: int(j.attempt)})
			t.withdraw(j, "the drain of its node had a deadline")
		}
	}
	return evicted
}

// withdraw ends an attempt by nobody's fault. The job is pending again, or stays paused.
func (t *tx) withdraw(j *activeJob, why string) {
	status := j.status
	if status == ffrtmp.Running {
		status = ffrtmp.Pending
	}
	t.end(j, store.Result{Outcome: ffrtmp.AttemptLost, Error: why})
	t.jobEvent(ffrtmp.JobLost, j, 0, "")
	j.lease = lease{}
	t.change(j, status, store.HoldNone)
	t.columns.setProgress(j.seq, 0)
	t.exec(updateFenced, store.Code(store.StatusCodes, status), int64(store.HoldNone), t.now, int64(j.seq))
}

// judge counts the failures in a row that a node has caused; enough of them cordon it for a while.
func (t *tx) judge(n *node, status ffrtmp.ResultStatus, reason ffrtmp.FailureReason) {
	switch {
	case status == ffrtmp.ResultCompleted && n.Failures > 0:
		n.Failures = 0
	case status == ffrtmp.ResultFailed && reason.BlamesNode():
		n.Failures++
	default:
		return
	}
	if n.Failures >= ffrtmp.BreakerFailures && n.Eligibility == ffrtmp.Eligible {
		n.Eligibility = ffrtmp.Cordoned
		n.EligibilityUntil = time.Unix(0, t.now).Add(ffrtmp.BreakerCordon).UTC()
		n.EligibilityReason = fmt.Sprintf("%d attempts in a row failed here, the last with %s", n.Failures, reason)
		t.event(ffrtmp.NodeCordoned, n)
	}
	t.write(n)
}
