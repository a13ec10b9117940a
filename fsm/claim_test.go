package fsm

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

func seqs(claimed []store.Attempt) []uint64 {
	var list []uint64
	for _, a := range claimed {
		list = append(list, a.Seq)
	}
	return list
}

func TestClaim_QueueThenPriorityThenSubmission(t *testing.T) {
	c := newCluster(t)
	for _, q := range []ffrtmp.Queue{ffrtmp.Batch, ffrtmp.Default, ffrtmp.Live} {
		for _, p := range []ffrtmp.Priority{ffrtmp.Low, ffrtmp.Medium, ffrtmp.High} {
			for range 2 {
				c.submit(func(s *ffrtmp.Spec) { s.Queue, s.Priority = q, p })
			}
		}
	}
	node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 100 })
	got := seqs(c.claim(node, 100))
	want := []uint64{17, 18, 15, 16, 13, 14, 11, 12, 9, 10, 7, 8, 5, 6, 3, 4, 1, 2}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// TestClaim_AJobNobodyCanRunHoldsUpNothing: it stands first in the queue, and the
// next is served all the same.
func TestClaim_AJobNobodyCanRunHoldsUpNothing(t *testing.T) {
	c := newCluster(t)
	gpu := c.submit(func(s *ffrtmp.Spec) {
		s.Queue, s.Priority, s.Requires = ffrtmp.Live, ffrtmp.High, &ffrtmp.Requires{Labels: map[string]string{"site": "moon"}}
	})
	plain := c.submit(func(s *ffrtmp.Spec) { s.Queue, s.Priority = ffrtmp.Batch, ffrtmp.Low })
	node := c.register("a")
	if !c.fsm.HasReady(node, c.now) {
		t.Fatal("nothing is ready for the node")
	}
	if got := seqs(c.claim(node, 4)); !slices.Equal(got, []uint64{plain}) {
		t.Fatalf("got %v", got)
	}
	if c.fsm.HasReady(node, c.now) {
		t.Fatal("the job of the moon is ready for a node on earth")
	}
	moon := c.register("b", func(r *ffrtmp.Registration) { r.Labels = map[string]string{"site": "moon"} })
	if got := seqs(c.claim(moon, 4)); !slices.Equal(got, []uint64{gpu}) {
		t.Fatalf("got %v", got)
	}
}

func TestClaim_NeverMoreThanFreeSlots(t *testing.T) {
	c := newCluster(t)
	for range 10 {
		c.submit()
	}
	node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 3 })
	first := c.claim(node, 2)
	if len(first) != 2 || len(c.claim(node, 10)) != 1 || len(c.claim(node, 1)) != 0 {
		t.Fatal("three slots are not three attempts")
	}
	c.mustResult(node, first[0], ffrtmp.ResultCompleted)
	if len(c.claim(node, 10)) != 1 {
		t.Fatal("a completed attempt frees no slot")
	}
	legacy := c.register("old", func(r *ffrtmp.Registration) { r.NodeID, r.MaxConcurrentJobs = "", 0 })
	if got := len(c.claim(legacy, 6)); got != 6 {
		t.Fatalf("a v2.2 node was given %d of 6", got)
	}
}

// An operator's hand on a node is no sign of life from it.
func TestSetEligibility_IsNoHeartbeat(t *testing.T) {
	c := newCluster(t)
	node := c.register("node")
	c.after(time.Hour)
	for _, e := range []ffrtmp.Eligibility{ffrtmp.Cordoned, ffrtmp.Draining, ffrtmp.Eligible} {
		if _, _, err := c.SetEligibility(c.Context(), Idempotency{}, node, e); err != nil {
			t.Fatal(err)
		}
		if n, err := c.fsm.Node(node); err != nil || n.Eligibility != e || !n.LastHeartbeat.Equal(n.RegisteredAt) {
			t.Errorf("%v: it registered at %v and was heard of last at %v: %v", e, n.RegisteredAt, n.LastHeartbeat, err)
		}
	}
}

func TestClaim_OnlyEligibleNodes(t *testing.T) {
	c := newCluster(t)
	c.submit()
	node := c.register("a")
	for _, e := range []ffrtmp.Eligibility{ffrtmp.Cordoned, ffrtmp.Draining} {
		if _, _, err := c.SetEligibility(c.Context(), Idempotency{}, node, e); err != nil {
			t.Fatal(err)
		}
		if len(c.claim(node, 1)) != 0 || c.fsm.HasReady(node, c.now) {
			t.Fatalf("a %s node was given work", e)
		}
	}
	if _, _, err := c.SetEligibility(c.Context(), Idempotency{}, node, ffrtmp.Eligible); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.SetOffline(c.Context(), []string{node}, true); err != nil {
		t.Fatal(err)
	}
	c.claimOne(node)
	if n, err := c.fsm.Node(node); err != nil || n.Status != ffrtmp.NodeBusy {
		t.Fatalf("an offline node that claims is %s: %v", n.Status, err)
	}
	_, _, err := c.Claim(c.Context(), numbered(99), 1)
	wantCode(t, err, ffrtmp.NotFound)
}

func TestClaim_WaitsOutTheBackoff(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	wait := 5 * time.Second
	for retry := 1; retry <= 3; retry++ {
		r := c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
		if r.Retry != retry || r.MaxRetries != 3 || r.Status != ffrtmp.Pending {
			t.Fatalf("%+v", r)
		}
		j := c.job(seq)
		delay := j.NotBefore.Sub(c.now)
		if delay < wait || delay >= wait*3/2 || j.RetryReason != "boom" {
			t.Fatalf("retry %d waits %s: %+v", retry, delay, j)
		}
		if next, ok := c.fsm.NextNotBefore(); !ok || !next.Equal(j.NotBefore) {
			t.Fatalf("next is %v, want %v", next, j.NotBefore)
		}
		c.after(delay - 1)
		if len(c.claim(node, 1)) != 0 || c.fsm.HasReady(node, c.now) || c.fsm.ReadyCount(c.now) != 0 {
			t.Fatal("ready before its time")
		}
		c.after(1)
		if !c.fsm.HasReady(node, c.now) || c.fsm.ReadyCount(c.now) != 1 {
			t.Fatal("not ready in time")
		}
		wait *= 2
	}
	r := c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	if j := c.job(seq); r.Retry != 0 || j.Status != ffrtmp.Failed || j.Error != "boom" || j.FailureReason != ffrtmp.RuntimeError || len(j.Attempts) != 4 {
		t.Fatalf("%+v %+v", r, j)
	}
}

func TestBackoff_IsCapped(t *testing.T) {
	b := backoff{base: int64(5 * time.Second), limit: int64(5 * time.Minute)}
	for retry, want := range map[int64]time.Duration{1: 5 * time.Second, 2: 10 * time.Second, 6: 160 * time.Second, 7: 5 * time.Minute, 100: 5 * time.Minute} {
		if got := time.Duration(b.delay(retry)); got != want {
			t.Errorf("retry %d waits %s, want %s", retry, got, want)
		}
	}
	b.jitter = 499
	if got := time.Duration(b.delay(1)); got != 7495*time.Millisecond {
		t.Errorf("with all the jitter: %s", got)
	}
}

// TestClaim_AvoidsTheNodeThatFailed as long as another could run the job.
func TestClaim_AvoidsTheNodeThatFailed(t *testing.T) {
	for _, test := range []struct {
		name    string
		other   func(c *cluster) // what becomes of the other node
		claimed bool             // to the node that failed
	}{
		{"another can", func(*cluster) {}, false},
		{"the other is offline", func(c *cluster) { c.SetOffline(c.Context(), []string{c.register("b")}, true) }, true},
		{"the other is cordoned", func(c *cluster) { c.SetEligibility(c.Context(), Idempotency{}, c.register("b"), ffrtmp.Cordoned) }, true},
		{"the other cannot", func(c *cluster) { c.register("b", func(r *ffrtmp.Registration) { r.Encoders = []string{"libx265"} }) }, true},
		{"the other is gone", func(c *cluster) { c.RemoveNode(c.Context(), c.register("b"), true) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			seq := c.submit()
			node := c.register("a")
			c.register("b")
			c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.InputError, "no input"))
			c.after(time.Minute)
			test.other(c)
			if given := len(c.claim(node, 1)) == 1; given != test.claimed {
				t.Fatalf("given to the node that failed: %v", given)
			}
			if w := c.fsm.Waiting(seq); !test.claimed && !slices.Equal(w.Avoided, []string{node}) {
				t.Fatalf("%+v", w)
			}
			c.checkDerived()
		})
	}
}

func TestClaim_FencesTheLostAttempt(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	a, b := c.register("a"), c.register("b")
	old := c.claimOne(a)
	c.expire(old)
	c.claimOne(b)
	for _, status := range []ffrtmp.ResultStatus{ffrtmp.ResultPublishing, ffrtmp.ResultCompleted, ffrtmp.ResultFailed, ffrtmp.ResultCanceled} {
		_, err := c.result(a, old, status)
		wantCode(t, err, ffrtmp.StaleAttempt)
	}
	if _, changed, err := c.Reclaim(c.Context(), a, []store.Attempt{{AttemptID: store.AttemptID{Seq: seq, Attempt: 1}, Lease: old.Lease}}); err != nil || len(changed.Attempts) != 0 {
		t.Fatalf("%+v %v", changed, err)
	}
	if j := c.job(seq); j.Attempt != 2 || j.NodeName != "b" || j.Status != ffrtmp.Running {
		t.Fatalf("%+v", j)
	}
}

func TestExpire_FiveLossesEndAJob(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	for range ffrtmp.MaxLosses {
		c.expire(c.claimOne(node))
	}
	j := c.job(seq)
	if j.Status != ffrtmp.Failed || j.FailureReason != ffrtmp.NodeLost || j.RetryCount != 0 || len(j.Attempts) != ffrtmp.MaxLosses {
		t.Fatalf("%+v", j)
	}
}

func TestResult_GivenBackFiveTimesEndsAJob(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	for range ffrtmp.MaxLosses {
		c.mustResult(node, c.claimOne(node), ffrtmp.ResultCanceled)
	}
	if j := c.job(seq); j.Status != ffrtmp.Failed || j.FailureReason != ffrtmp.NodeLost || j.RetryCount != 0 {
		t.Fatalf("%+v", j)
	}
}

func TestReclaim_UndoesTheLoss(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	a := c.claimOne(node)
	for range 2 * ffrtmp.MaxLosses {
		c.expire(a)
		_, changed, err := c.Reclaim(c.Context(), node, []store.Attempt{{AttemptID: store.AttemptID{Seq: seq, Attempt: 1}, Lease: a.Lease}})
		if err != nil || len(changed.Attempts) != 1 {
			t.Fatalf("%+v %v", changed, err)
		}
	}
	c.expire(a)
	if _, changed, _ := c.Reclaim(c.Context(), node, []store.Attempt{{AttemptID: store.AttemptID{Seq: seq, Attempt: 1}, Lease: lease{1}.String()}}); len(changed.Attempts) != 0 {
		t.Fatal("taken back with another's lease")
	}
	c.mustResult(node, a, ffrtmp.ResultCompleted)
	if j := c.job(seq); j.Status != ffrtmp.Completed || len(j.Attempts) != 1 {
		t.Fatalf("%+v", j)
	}
}

func TestRegister_AgainByAV22Node(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	old := func(r *ffrtmp.Registration) { r.NodeID = "" }
	node := c.register("old", old)
	a := c.claimOne(node)
	if got := c.register("old", old); got != node {
		t.Fatalf("the same address became node %s, was %s", got, node)
	}
	if j := c.job(seq); j.Status != ffrtmp.Pending || j.Attempts[0].Outcome != ffrtmp.AttemptLost {
		t.Fatalf("%+v", j)
	}
	_, err := c.result(node, a, ffrtmp.ResultCompleted)
	wantCode(t, err, ffrtmp.StaleAttempt)
	// A v2.2 node sends neither attempt nor lease: it means what it holds.
	a = c.claimOne(node)
	c.mustResult(node, store.Attempt{AttemptID: store.AttemptID{Seq: seq}, JobID: a.JobID}, ffrtmp.ResultCompleted)
}

func TestRegister_KnownNodeKeepsItsAttempts(t *testing.T) {
	c := newCluster(t)
	c.submit()
	node := c.register("a")
	a := c.claimOne(node)
	c.register("a", func(r *ffrtmp.Registration) { r.CPUThreads = 2 })
	n, err := c.fsm.Node(node)
	if err != nil || n.CPUThreads != 2 || len(n.Running) != 1 || n.CurrentJobID != a.JobID {
		t.Fatalf("%+v %v", n, err)
	}
	c.mustResult(node, a, ffrtmp.ResultCompleted)
}

func TestClaim_TimeoutStartsWithTheAttempt(t *testing.T) {
	c := newCluster(t)
	c.submit(func(s *ffrtmp.Spec) { s.Parameters = []byte(`{"resource_limits":{"timeout_sec":90}}`) })
	node := c.register("a")
	c.after(time.Hour)
	if a := c.claimOne(node); !a.TimeoutAt.Equal(c.now.Add(90 * time.Second)) {
		t.Fatalf("times out at %v, claimed at %v", a.TimeoutAt, c.now)
	}
}

func TestPause_StopsTheClockOfTheTimeout(t *testing.T) {
	c := newCluster(t)
	seq := c.submit(func(s *ffrtmp.Spec) { s.Parameters = []byte(`{"resource_limits":{"timeout_sec":90}}`) })
	node := c.register("a")
	a := c.claimOne(node)
	act := func(action ffrtmp.Action) {
		t.Helper()
		if _, _, err := c.Act(c.Context(), Idempotency{}, action, seq); err != nil {
			t.Fatal(err)
		}
	}
	c.after(30 * time.Second)
	act(ffrtmp.Pause)
	c.reopen()
	c.after(time.Hour)
	if _, changed, err := c.TimeOut(c.Context(), []store.AttemptID{{Seq: seq, Attempt: a.Attempt}}); err != nil || len(changed.Attempts) != 0 {
		t.Fatalf("a paused attempt timed out: %+v %v", changed, err)
	}
	if j := c.job(seq); !j.TimeoutAt.IsZero() {
		t.Fatalf("paused, and times out at %v", j.TimeoutAt)
	}
	act(ffrtmp.Resume)
	if j := c.job(seq); !j.TimeoutAt.Equal(c.now.Add(time.Minute)) {
		t.Fatalf("resumed at %v with 60 s left, times out at %v", c.now, j.TimeoutAt)
	}
}
