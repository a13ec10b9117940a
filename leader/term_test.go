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

// TestLeadershipFlaps changes leadership 100 times while nodes work, wait and fall
// silent. The leader's work must neither stop nor run twice, nothing may be lost
// that is alive, and no goroutine may be left (the bubble would not end).
func TestLeadershipFlaps(t *testing.T) {
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
			t.Errorf("after 100 changes: %v jobs, %d losses", c.Jobs, c.Losses)
		}
		if now := runtime.NumGoroutine(); now > goroutines+5 {
			t.Errorf("%d goroutines, %d before", now, goroutines)
		}

		// The work that is left is still done.
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
			_, _, err := b.Heartbeat(b.t.Context(), node, &ffrtmp.Heartbeat{Attempts: []ffrtmp.AttemptReport{report(jobs[0])}})
			if err != nil && ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
				b.t.Error(err)
			}
		}
		r := &ffrtmp.Result{JobID: jobs[0].ID, NodeID: node, Attempt: jobs[0].Attempt, Lease: jobs[0].Lease, Status: ffrtmp.ResultCompleted}
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

func TestANewLeaderRenewsEveryLease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(a)
		pass(ttl - time.Second)
		b.lead(false)
		pass(time.Hour)
		b.wantStatus(id, ffrtmp.Running, 1)
		b.lead(true)
		pass(ttl - time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		if got := b.beat(a, report(j)); len(got) != 0 {
			t.Errorf("commands: %v", got)
		}
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

func TestARemovedNodeLosesWhatItHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(a)
		b.result(a, j, ffrtmp.ResultPublishing)
		if _, _, err := b.proposer.RemoveNode(t.Context(), a, true); err != nil {
			t.Fatal(err)
		}
		b.NodeChanged(a)
		b.wantStatus(id, ffrtmp.Pending, 1)
		if _, _, err := b.Heartbeat(t.Context(), a, nil); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Errorf("heartbeat: %v", err)
		}
		if other := b.register(2, 1); b.claimOne(other).Attempt != 2 {
			t.Error("not the second attempt")
		}
	})
}

// TestMemoryFollowsTheState changes the state behind the Service's back, as a
// command does whose proposer has given it up.
func TestMemoryFollowsTheState(t *testing.T) {
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
