package leader

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// expire proposes everything that is due, one command for each kind.
func (t *term) expire() {
	t.mu.Lock()
	var lost, late []*attempt
	var silent []*node
	now := time.Now()
	for _, x := range t.deadlines.expired(now) {
		switch x := x.(type) {
		case *node:
			silent = append(silent, x)
		case *attempt:
			if x.expires.After(now) {
				late = append(late, x)
			} else {
				lost = append(lost, x)
			}
		}
	}
	t.mu.Unlock()
	t.expireLeases(lost)
	t.timeOut(late)
	t.markOffline(silent)
}

// timeOut proposes the failure of attempts that have exceeded their timeout and whose
// agents have not reported it.
func (t *term) timeOut(attempts []*attempt) {
	if len(attempts) == 0 {
		return
	}
	failed := t.propose(attempts, t.cfg.Proposer.TimeOut)
	if failed == nil {
		return
	}
	for _, a := range attempts {
		t.end(a)
		if !failed[a.AttemptID] {
			continue
		}
		j, err := t.cfg.State.Job(t.ctx, a.JobID)
		if err != nil {
			t.cfg.Logger.Warn("attempt timed out", "job", a.JobID, "attempt", a.AttemptID.Attempt, "node", a.node.id,
				"error", err)
			continue
		}
		retry := 0
		if j.Status == ffrtmp.Pending {
			retry = j.RetryCount
		}
		t.logFailure(a.JobID, a.node.id, ffrtmp.Timeout, retry, j.MaxRetries)
	}
}

// propose returns the attempts that a command has changed, or nil when it failed and is retried later.
func (t *term) propose(
	attempts []*attempt, command func(context.Context, []store.AttemptID) (uint64, fsm.Changed, error),
) map[store.AttemptID]bool {
	_, changed, err := command(t.ctx, ids(attempts))
	if err != nil {
		t.retry(attempts, err)
		return nil
	}
	return asSet(changed)
}

// retry makes attempts due again after retryInterval.
func (t *term) retry(attempts []*attempt, err error) {
	t.cfg.Logger.Warn("cannot end attempts that are due; retrying", "attempts", len(attempts), "error", err)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range attempts {
		a.postponed = time.Now().Add(retryInterval)
		t.deadlines.watch(a)
	}
}
