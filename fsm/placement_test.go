package fsm

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// endPlacements ends what is due, and returns how many attempts that has ended.
func (c *cluster) endPlacements() int {
	c.Helper()
	_, changed, err := c.EndPlacements(c.Context(), c.fsm.NodesDue(c.now))
	if err != nil {
		c.Fatal(err)
	}
	return len(changed.Attempts)
}

func (c *cluster) node(id string) ffrtmp.Node {
	c.Helper()
	n, err := c.fsm.Node(id)
	if err != nil {
		c.Fatal(err)
	}
	return n
}

// After the deadline of a drain, what the node still runs is requeued and uses up neither a retry nor a loss, but what
// is just publishing continues; what the node says of the rest is refused.
func TestDrain_Deadline(t *testing.T) {
	c := newCluster(t)
	a, b := c.register("a"), c.register("b")
	for range 3 {
		c.submit()
	}
	running, sealed, lost := c.claimOne(a), c.claimOne(a), c.claimOne(a)
	c.mustResult(a, sealed, ffrtmp.ResultPublishing)
	c.expire(lost)
	if _, _, err := c.SetEligibility(t.Context(), Idempotency{}, a, ffrtmp.Draining, 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := c.node(a).EligibilityUntil; !got.Equal(c.now.Add(10 * time.Minute)) {
		t.Errorf("got deadline %s, want in 10 minutes", got)
	}
	c.after(10*time.Minute - time.Second)
	if due := c.fsm.NodesDue(c.now); len(due) != 0 {
		t.Errorf("before the deadline: got %q due, want none", due)
	}
	// A proposal that comes too early changes nothing.
	if _, changed, err := c.EndPlacements(t.Context(), []string{a, b, "unknown"}); err != nil ||
		len(changed.Attempts) != 0 {
		t.Errorf("before the deadline: got %v, %v, want no change", changed, err)
	}
	c.after(time.Second)
	c.reopen()
	if got := c.endPlacements(); got != 1 {
		t.Errorf("got %d attempts ended, want 1", got)
	}
	j := c.job(running.Seq)
	if j.Status != ffrtmp.Pending || j.RetryCount != 0 || j.Attempts[0].Outcome != ffrtmp.AttemptLost ||
		j.Attempts[0].Error != "the drain of its node had a deadline" {
		t.Errorf("got %s with %d retries after %+v, want it pending with none", j.Status, j.RetryCount, j.Attempts)
	}
	if losses := c.fsm.state.jobs[running.Seq].losses; losses != 0 {
		t.Errorf("got %d losses, want 0", losses)
	}
	if _, err := c.result(a, running, ffrtmp.ResultCompleted); ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
		t.Errorf("the old attempt: got %v, want %s", err, ffrtmp.StaleAttempt)
	}
	c.mustResult(a, sealed, ffrtmp.ResultCompleted)
	if _, err := c.result(a, lost, ffrtmp.ResultCompleted); ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
		t.Errorf("the lost attempt: got %v, want %s", err, ffrtmp.StaleAttempt)
	}
	if claimed := c.claim(b, 4); len(claimed) != 2 {
		t.Errorf("got %d jobs for the other node, want 2", len(claimed))
	}
	if n := c.node(a); n.Eligibility != ffrtmp.Draining || !n.EligibilityUntil.IsZero() ||
		len(c.fsm.NodesDue(c.now)) != 0 {
		t.Errorf("got node %+v, want it draining without a deadline", n)
	}
	c.checkDerived()
}

// A paused job of a drained node stays paused.
func TestDrain_DeadlinePaused(t *testing.T) {
	c := newCluster(t)
	a := c.register("a")
	seq := c.submit()
	c.claimOne(a)
	c.mustAct(ffrtmp.Pause, seq)
	if _, _, err := c.SetEligibility(t.Context(), Idempotency{}, a, ffrtmp.Draining, time.Minute); err != nil {
		t.Fatal(err)
	}
	c.after(time.Minute)
	c.endPlacements()
	if j := c.job(seq); j.Status != ffrtmp.Paused || len(c.node(a).Running) != 0 {
		t.Errorf("got %s, want paused without a node", j.Status)
	}
}

// Five failures in a row by the node's own fault cordon it for ten minutes. A success in between begins the count
// again, and failures that are the job's fault do not count.
func TestBreaker(t *testing.T) {
	c := newCluster(t)
	a := c.register("a")
	fail := func(reason ffrtmp.FailureReason) {
		c.submit(func(s *ffrtmp.Spec) { s.MaxRetries = new(int) })
		c.mustResult(a, c.claimOne(a), ffrtmp.ResultFailed, failing(reason, "x"))
	}
	for range ffrtmp.BreakerFailures - 1 {
		fail(ffrtmp.OutputError)
	}
	c.submit()
	c.mustResult(a, c.claimOne(a), ffrtmp.ResultCompleted)
	for range ffrtmp.BreakerFailures - 1 {
		fail(ffrtmp.PlatformError)
		fail(ffrtmp.RuntimeError)
		fail(ffrtmp.UserError)
	}
	c.reopen()
	if n := c.node(a); n.Eligibility != ffrtmp.Eligible || n.Failures != ffrtmp.BreakerFailures-1 {
		t.Errorf("got %s after %d failures, want it eligible", n.Eligibility, n.Failures)
	}
	fail(ffrtmp.PlatformError)
	n := c.node(a)
	if n.Eligibility != ffrtmp.Cordoned || !n.EligibilityUntil.Equal(c.now.Add(ffrtmp.BreakerCordon)) ||
		n.EligibilityReason != "5 attempts in a row failed here, the last with platform_error" {
		t.Errorf("got %+v, want it cordoned for 10 minutes, with the reason", n)
	}
	events := c.allEvents(ffrtmp.EventID{})
	if last := events[len(events)-1]; last.Type != ffrtmp.NodeCordoned {
		t.Errorf("got event %s, want %s", last.Type, ffrtmp.NodeCordoned)
	}
	c.after(ffrtmp.BreakerCordon)
	if due := c.fsm.NodesDue(c.now); !slices.Equal(due, []string{a}) {
		t.Errorf("got %q due, want the node", due)
	}
	c.endPlacements()
	if n := c.node(a); n.Eligibility != ffrtmp.Eligible || n.EligibilityReason != "" || n.Failures != 0 {
		t.Errorf("after ten minutes: got %+v, want it eligible", n)
	}
	c.checkDerived()
}

// An operator's cordon has no end, and one of the circuit breaker ends with uncordon.
func TestBreaker_Operator(t *testing.T) {
	c := newCluster(t)
	a := c.register("a")
	place := func(e ffrtmp.Eligibility) {
		if _, _, err := c.SetEligibility(t.Context(), Idempotency{}, a, e, 0); err != nil {
			t.Fatal(err)
		}
	}
	trip := func() {
		for range ffrtmp.BreakerFailures {
			c.submit(func(s *ffrtmp.Spec) { s.MaxRetries = new(int) })
			c.mustResult(a, c.claimOne(a), ffrtmp.ResultFailed, failing(ffrtmp.OutputError, "x"))
		}
	}
	trip()
	place(ffrtmp.Cordoned)
	c.after(time.Hour)
	if due := c.fsm.NodesDue(c.now); len(due) != 0 {
		t.Errorf("cordoned by an operator: got %q due, want none", due)
	}
	place(ffrtmp.Eligible)
	trip()
	place(ffrtmp.Eligible)
	if n := c.node(a); n.Eligibility != ffrtmp.Eligible || n.Failures != 0 {
		t.Errorf("uncordoned: got %+v, want it eligible", n)
	}
}
