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
		if _, _, err := c.SetEligibility(c.Context(), Idempotency{}, node, e, 0); err != nil {
			t.Fatal(err)
		}
		if n, err := c.fsm.Node(node); err != nil || n.Eligibility != e || !n.LastHeartbeat.Equal(n.RegisteredAt) {
			t.Errorf("%s: got %s, heartbeat at %s, %v, want heartbeat at %s", e, n.Eligibility, n.LastHeartbeat, err,
				n.RegisteredAt)
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
			t.Fatalf("got %+v, want retry %d of 3", r, retry)
		}
		j := c.job(seq)
		delay := j.NotBefore.Sub(c.now)
		if delay < wait || delay >= wait*3/2 || j.RetryReason != "boom" {
			t.Fatalf("retry %d: got a delay of %s and %+v, want %s to %s", retry, delay, j, wait, wait*3/2)
		}
		if next, ok := c.fsm.NextNotBefore(); !ok || !next.Equal(j.NotBefore) {
			t.Fatalf("next: got %v, %v, want %v", next, ok, j.NotBefore)
		}
		c.after(delay - 1)
		if len(c.claim(node, 1)) != 0 || c.fsm.HasReady(node, c.now) || c.fsm.ReadyCount(c.now) != 0 {
			t.Fatal("got a job claimable before its backoff ended")
		}
		c.after(1)
		if !c.fsm.HasReady(node, c.now) || c.fsm.ReadyCount(c.now) != 1 {
			t.Fatal("got a job not claimable after its backoff")
		}
		wait *= 2
	}
	r := c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	if j := c.job(seq); r.Retry != 0 || j.Status != ffrtmp.Failed || j.Error != "boom" ||
		j.FailureReason != ffrtmp.RuntimeError || len(j.Attempts) != 4 {
		t.Fatalf("got %+v and %+v, want a failed job with 4 attempts", r, j)
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
			t.Errorf("retry %d: got a delay of %s, want %s", retry, got, want)
		}
	}
	b.jitter = 499
	if got := time.Duration(b.delay(1)); got != 7495*time.Millisecond {
		t.Errorf("maximum jitter: got a delay of %s, want 7.495s", got)
	}
}

// A retry avoids the failed node while another can run the job.
func TestClaim_AvoidsFailedNode(t *testing.T) {
	for _, test := range []struct {
		name    string
		other   func(c *cluster) // changes the other node
		claimed bool             // by the node that failed
	}{
		{"another can", func(*cluster) {}, false},
		{"the other is offline", func(c *cluster) {
			check(c, errOf(c.SetOffline(c.Context(), []string{c.register("b")}, true)))
		}, true},
		{"the other is cordoned", func(c *cluster) {
			check(c, errOf(c.SetEligibility(c.Context(), Idempotency{}, c.register("b"), ffrtmp.Cordoned, 0)))
		}, true},
		{"the other cannot", func(c *cluster) {
			c.register("b", func(r *ffrtmp.Registration) { r.Encoders = []string{"libx265"} })
		}, true},
		{"the other is removed", func(c *cluster) {
			check(c, errOf(c.RemoveNode(c.Context(), c.register("b"), true)))
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			seq := c.submit()
			node := c.register("a")
			c.register("b")
			c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.InputError, "no input"))
			c.after(time.Minute)
			test.other(c)
			if got := len(c.claim(node, 1)) == 1; got != test.claimed {
				t.Fatalf("claimed by the failed node: got %v, want %v", got, test.claimed)
			}
			if got := c.fsm.Waiting(seq).Avoided; !test.claimed && !slices.Equal(got, []string{node}) {
				t.Fatalf("avoided nodes: got %v, want %s", got, node)
			}
			c.checkDerived()
		})
	}
}
