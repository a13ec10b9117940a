package leader

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Leadership changes 100 times while nodes work and wait. The leader's work must neither
// stop nor run twice, no live attempt may be lost, and no goroutine may be left (or the
// bubble would not end).
func TestTerm_LeadershipFlaps(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		const nodes = 5
		goroutines := runtime.NumGoroutine()
		stop := make(chan struct{})
		var working sync.WaitGroup
		for n := range nodes {
			a := b.register(n, 1)
			working.Go(func() { b.work(a, stop) })
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 50 {
			b.submit(ffrtmp.Spec{})
			pass(time.Duration(rng.IntN(3000)) * time.Millisecond)
			b.lead(false)
			pass(time.Duration(rng.IntN(3000)) * time.Millisecond)
			b.lead(true)
		}
		pass(time.Minute)
		close(stop)
		working.Wait()
		if c := b.fsm.Counts(); c.Jobs[ffrtmp.Completed] != 50 || c.Losses != 0 {
			t.Errorf("got %v and %d losses, want 50 completed and none", c.Jobs, c.Losses)
		}
		if now := runtime.NumGoroutine(); now > goroutines+5 {
			t.Errorf("got %d goroutines, want about %d", now, goroutines)
		}

		// The Service still works.
		id := b.submit(ffrtmp.Spec{})
		b.claimOne(nodeID(0))
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

// work is an agent whose every job takes 5 seconds.
func (b *bed) work(node string, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		_, jobs, err := b.Claim(b.t.Context(), node, 1, time.Second)
		if err != nil || len(jobs) == 0 {
			<-time.After(500 * time.Millisecond)
			continue
		}
		for range 5 {
			<-time.After(time.Second)
			// Without a leader it fails, and the next one is a second away.
			_, _, err := b.Heartbeat(b.t.Context(), node,
				&ffrtmp.Heartbeat{Attempts: []ffrtmp.AttemptReport{report(jobs[0])}})
			if err != nil && ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
				b.t.Error(err)
			}
		}
		r := &ffrtmp.Result{
			JobID: jobs[0].ID, NodeID: node, Attempt: jobs[0].Attempt, Lease: jobs[0].Lease,
			Status: ffrtmp.ResultCompleted,
		}
		for {
			_, _, err := b.Result(b.t.Context(), fsm.Idempotency{}, r)
			if err == nil {
				break
			}
			if ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
				b.t.Error(err)
				return
			}
			<-time.After(time.Second)
		}
	}
}

// A new leader renews every lease.
func TestTerm_RenewsEveryLease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		pass(ttl - time.Second)
		b.lead(false)
		pass(time.Hour)
		b.wantStatus(id, ffrtmp.Running, 1)
		b.lead(true)
		pass(ttl - time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		if got := b.beat(a, report(j)); len(got) != 0 {
			t.Errorf("got commands %v, want none", got)
		}
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

// A removed node loses its attempts.
func TestNode_Removed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		b.result(a, j, ffrtmp.ResultPublishing)
		if _, _, err := b.proposer.RemoveNode(t.Context(), a, true); err != nil {
			t.Fatal(err)
		}
		b.NodeChanged(a)
		b.wantStatus(id, ffrtmp.Pending, 1)
		if _, _, err := b.Heartbeat(t.Context(), a, nil); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Errorf("got %v from a heartbeat, want not_found", err)
		}
		if other := b.register(2, 1); b.claimOne(other).Attempt != 2 {
			t.Error("got another attempt, want the second")
		}
	})
}

// A command whose proposer has timed out changes the state without the Service.
func TestReconcile_FollowsState(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		if _, _, err := b.proposer.Claim(t.Context(), a, 1); err != nil {
			t.Fatal(err)
		}
		pass(saveInterval + ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}
