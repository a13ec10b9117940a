package leader

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// A submission ends the wait of a claim at once.
func TestClaim_WokenBySubmission(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		start := time.Now()
		claimed := make(chan []ffrtmp.Job, 1)
		go func() { claimed <- b.claim(a, 1, time.Minute) }()
		pass(20 * time.Second)
		id := b.submit(ffrtmp.Spec{})
		jobs := <-claimed
		if len(jobs) != 1 || jobs[0].ID != id {
			t.Fatalf("got %v, want %s", jobs, id)
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("got a job after %s, want it at once (20s)", took)
		}
	})
}

// A waiting claim ends empty with its wait, its client or the leadership.
func TestClaim_EndsEmpty(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		for name, end := range map[string]func(cancel func()){
			"with its wait":         func(func()) { pass(time.Minute) },
			"with its client":       func(cancel func()) { cancel() },
			"when leadership moves": func(func()) { b.lead(false); b.lead(true) },
		} {
			ctx, cancel := context.WithCancel(b.t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				if _, jobs, err := b.Claim(ctx, a, 1, time.Minute); len(jobs) > 0 || err != nil {
					t.Errorf("%s: got %v, %v, want nothing", name, jobs, err)
				}
			}()
			synctest.Wait()
			end(cancel)
			<-done
			cancel()
		}
	})
}

// Claims and heartbeats fail on a master that does not lead.
func TestService_NotLeading(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		b.lead(false)
		if _, _, err := b.Claim(t.Context(), a, 1, 0); ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
			t.Errorf("got %v from a claim, want no_leader", err)
		}
		if _, _, err := b.Heartbeat(t.Context(), a, nil); ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
			t.Errorf("got %v from a heartbeat, want no_leader", err)
		}
	})
}

// Claims and heartbeats of an unknown node fail.
func TestService_UnknownNode(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		if _, _, err := b.Claim(t.Context(), nodeID(9), 1, 0); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Errorf("got %v from a claim, want not_found", err)
		}
		if _, _, err := b.Heartbeat(t.Context(), nodeID(9), nil); ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Errorf("got %v from a heartbeat, want not_found", err)
		}
	})
}

// A claim returns attempts again until a heartbeat lists them.
func TestClaim_AnswerLost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 3)
		b.submitJobs(3)
		first := b.claimOne(a)
		again := b.claim(a, 2, 0)
		if len(again) != 1 || again[0].ID != first.ID || again[0].Lease != first.Lease {
			t.Fatalf("got %v, want %v", again, first)
		}
		b.beat(a, report(first))
		next := b.claim(a, 1, 0)
		if len(next) != 1 || next[0].ID == first.ID {
			t.Fatalf("got %v after the first was listed, want another", next)
		}
		// A new leader has not seen it listed.
		b.lead(false)
		b.lead(true)
		if all := b.claim(a, 3, 0); len(all) != 2 {
			t.Fatalf("got %d attempts from a new leader, want 2", len(all))
		}
	})
}

// A node never gets more attempts than it has free slots.
func TestClaim_FreeSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 2)
		b.submitJobs(5)
		jobs := b.claim(a, 10, 0)
		if len(jobs) != 2 {
			t.Fatalf("got %d attempts, want 2", len(jobs))
		}
		b.beat(a, report(jobs[0]), report(jobs[1]))
		claimed := make(chan []ffrtmp.Job, 1)
		go func() { claimed <- b.claim(a, 10, time.Minute) }()
		synctest.Wait()
		b.result(a, jobs[0], ffrtmp.ResultCompleted)
		if got := <-claimed; len(got) != 1 {
			t.Errorf("got %d jobs for a free slot, want 1", len(got))
		}
	})
}

// A waiting claim gets a retry when its backoff ends.
func TestClaim_AfterBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		if got := b.result(a, b.claimOne(a), ffrtmp.ResultFailed); got.Status != "retrying" || got.Retry != 1 ||
			got.MaxRetries != 3 {
			t.Fatalf("got %+v, want retry 1 of 3", got)
		}
		notBefore := b.job(id).NotBefore
		if wait := time.Until(notBefore); wait < 5*time.Second || wait >= 7500*time.Millisecond {
			t.Errorf("got backoff %s, want [5s, 7.5s)", wait)
		}
		if jobs := b.claim(a, 1, time.Minute); len(jobs) != 1 {
			t.Fatalf("got %d attempts, want 1", len(jobs))
		}
		if late := time.Since(notBefore); late < 0 || late > overdueInterval {
			t.Errorf("got the job %s after its backoff, want within %s", late, overdueInterval)
		}
	})
}

// Many nodes wait, and each job wakes one of them.
func TestClaim_WakesOneNodeAJob(t *testing.T) {
	const nodes, jobs = 1000, 20
	inBubble(t, func(t *testing.T, b *bed) {
		var all sync.WaitGroup
		var served atomic.Int64
		for n := range nodes {
			a := b.register(n, 1)
			all.Go(func() { served.Add(int64(len(b.claim(a, 1, ttl/2)))) })
		}
		synctest.Wait()
		before := b.log.commandCount()
		for range jobs {
			b.submit(ffrtmp.Spec{})
			synctest.Wait()
		}
		if got := served.Load(); got != jobs {
			t.Errorf("got %d jobs claimed, want %d", got, jobs)
		}
		if claims := b.log.commandCount() - before - jobs; claims > 2*jobs {
			t.Errorf("got %d claims for %d jobs, want at most %d", claims, jobs, 2*jobs)
		}
		// Jobs that no node can run wake no claim.
		before = b.log.commandCount()
		for range jobs {
			b.submit(ffrtmp.Spec{Requires: &ffrtmp.Requires{Labels: map[string]string{"rack": "none"}}})
		}
		all.Wait()
		if claims := b.log.commandCount() - before - jobs; claims != 0 {
			t.Errorf("got %d claims for jobs that no node can run, want none", claims)
		}
	})
}
