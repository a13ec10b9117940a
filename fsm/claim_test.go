package fsm

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// An operator's change does not count as a heartbeat.
func TestSetEligibility_NoHeartbeat(t *testing.T) {
	c := newCluster(t)
	node := c.register("node")
	c.after(time.Hour)
	for _, e := range []ffrtmp.Eligibility{ffrtmp.Cordoned, ffrtmp.Draining, ffrtmp.Eligible} {
		if _, _, err := c.SetEligibility(c.Context(), Idempotency{}, node, e); err != nil {
			t.Fatal(err)
		}
		if n, err := c.fsm.Node(node); err != nil || n.Eligibility != e || !n.LastHeartbeat.Equal(n.RegisteredAt) {
			t.Errorf("%v: got heartbeat at %[3]v (%[4]v), want %[2]v", e, n.RegisteredAt, n.LastHeartbeat, err)
		}
	}
}

// A retry is claimable only after its backoff.
func TestClaim_Backoff(t *testing.T) {
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
			t.Fatal("claimable before its backoff ended")
		}
		c.after(1)
		if !c.fsm.HasReady(node, c.now) || c.fsm.ReadyCount(c.now) != 1 {
			t.Fatal("not claimable after its backoff")
		}
		wait *= 2
	}
	r := c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	if j := c.job(seq); r.Retry != 0 || j.Status != ffrtmp.Failed || j.Error != "boom" ||
		j.FailureReason != ffrtmp.RuntimeError || len(j.Attempts) != 4 {
		t.Fatalf("%+v %+v", r, j)
	}
}

// Delays double up to the limit.
func TestBackoff_Cap(t *testing.T) {
	b := backoff{base: int64(5 * time.Second), limit: int64(5 * time.Minute)}
	for retry, want := range map[int64]time.Duration{
		1: 5 * time.Second, 2: 10 * time.Second, 6: 160 * time.Second,
		7: 5 * time.Minute, 100: 5 * time.Minute,
	} {
		if got := time.Duration(b.delay(retry)); got != want {
			t.Errorf("retry %d waits %s, want %s", retry, got, want)
		}
	}
	b.jitter = 499
	if got := time.Duration(b.delay(1)); got != 7495*time.Millisecond {
		t.Errorf("with all the jitter: %s", got)
	}
}

// A retry avoids the failed node while another can run the job.
func TestClaim_AvoidsFailedNode(t *testing.T) {
	for _, test := range []struct {
		name    string
		other   func(c *cluster) // what happens to the other node
		claimed bool             // to the node that failed
	}{
		{"another can", func(*cluster) {}, false},
		{"the other is offline", func(c *cluster) { c.SetOffline(c.Context(), []string{c.register("b")}, true) }, true},
		{"the other is cordoned", func(c *cluster) {
			c.SetEligibility(c.Context(), Idempotency{}, c.register("b"),
				ffrtmp.Cordoned)
		}, true},
		{"the other cannot", func(c *cluster) {
			c.register("b",
				func(r *ffrtmp.Registration) { r.Encoders = []string{"libx265"} })
		}, true},
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
				t.Fatalf("claimed by the failed node: got %v", given)
			}
			if w := c.fsm.Waiting(seq); !test.claimed && !slices.Equal(w.Avoided, []string{node}) {
				t.Fatalf("%+v", w)
			}
			c.checkDerived()
		})
	}
}
