package leader

import (
	"errors"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// An attempt whose lease is not renewed is lost, and its late reports are refused.
func TestLease_Expires(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, other := b.register(1, 1), b.register(2, 1)
		id := b.submit(ffrtmp.Spec{})
		first := b.claimOne(a)
		pass(ttl - time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		pass(2 * time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)

		second := b.claimOne(other)
		if second.Attempt != 2 || second.Lease == first.Lease {
			t.Fatalf("got %+v, want attempt 2 with another lease", second)
		}
		if got := b.beat(a, report(first)); len(got) != 1 || got[0].Command != ffrtmp.CommandStop {
			t.Errorf("got commands %v for the stale attempt, want stop", got)
		}
		_, _, err := b.Result(t.Context(), fsm.Idempotency{},
			&ffrtmp.Result{JobID: id, NodeID: a, Attempt: 1, Lease: first.Lease, Status: ffrtmp.ResultCompleted})
		if ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
			t.Errorf("got %v for the stale result, want stale_attempt", err)
		}
		b.wantStatus(id, ffrtmp.Running, 2)
	})
}

// A silent node may have an open claim. If the claim returned the node's own job, the attempt that
// may still run there would end.
func TestLease_SilentNodesOpenClaim(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		silent := b.register(1, 2)
		id := b.submit(ffrtmp.Spec{})
		first := b.claimOne(silent)
		b.beat(silent, report(first))
		ended := make(chan []ffrtmp.Job)
		go func() { ended <- b.claim(silent, 1, time.Hour) }()
		pass(ttl + time.Second)
		if jobs := <-ended; len(jobs) > 0 {
			t.Errorf("got %v for the silent node, want none", jobs)
		}
		b.wantStatus(id, ffrtmp.Pending, 1)
		b.beat(silent, report(first))
		b.wantStatus(id, ffrtmp.Running, 1)
	})
}

// A heartbeat renews only the attempts that it lists.
func TestLease_RenewedByHeartbeats(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 2)
		kept, left := b.submit(ffrtmp.Spec{}), b.submit(ffrtmp.Spec{})
		jobs := b.claim(a, 2, 0)
		for range 60 {
			pass(ttl / 3)
			b.beat(a, report(jobs[0]))
		}
		b.wantStatus(kept, ffrtmp.Running, 1)
		b.wantStatus(left, ffrtmp.Pending, 1) // it was not listed
	})
}

// A node reclaims its lost attempt by a heartbeat or a result.
func TestReclaim(t *testing.T) {
	for _, by := range []string{"heartbeat", "result"} {
		t.Run(by, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bed) {
				a, id, j := b.running()
				pass(ttl + time.Second)
				b.wantStatus(id, ffrtmp.Pending, 1)
				if by == "result" {
					b.result(a, j, ffrtmp.ResultCompleted)
					b.wantStatus(id, ffrtmp.Completed, 1)
					return
				}
				if got := b.beat(a, report(j)); len(got) != 0 {
					t.Errorf("got commands %v, want none", got)
				}
				b.wantStatus(id, ffrtmp.Running, 1)
				pass(ttl + time.Second) // the new lease expires, too
				b.wantStatus(id, ffrtmp.Pending, 1)
			})
		})
	}
}

// A node that was silent for too long may send a result before its next heartbeat. The
// heartbeat must not be answered with stop, because no other node would finish the job.
func TestReclaim_ByPublishing(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		node, id, j := b.running()
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
		b.result(node, j, ffrtmp.ResultPublishing)
		for range 3 {
			if commands := b.beat(node, report(j)); len(commands) > 0 {
				t.Fatalf("got commands %+v, want none", commands)
			}
			pass(ttl)
		}
		b.wantStatus(id, ffrtmp.Running, 1)
		b.result(node, j, ffrtmp.ResultCompleted)
		b.wantStatus(id, ffrtmp.Completed, 1)
	})
}

// A heartbeat is answered while the expiry is being committed. Its node does not know that
// the lease has expired, so no other node may get the job.
func TestReclaim_HeartbeatDuringExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		late, other := b.register(1, 1), b.register(2, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(late)
		b.log.beforeNext(func() {
			if commands := b.beat(late, report(j)); len(commands) > 0 {
				t.Errorf("got commands %v, want none", commands)
			}
		})
		claimed := make(chan []ffrtmp.Job, 1)
		go func() { claimed <- b.claim(other, 1, ttl+5*time.Second) }()
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		pass(ttl - 2*time.Second) // the heartbeat has renewed it
		b.wantStatus(id, ffrtmp.Running, 1)
		if jobs := <-claimed; len(jobs) > 0 {
			t.Errorf("got %v for the other node, want none", jobs)
		}
	})
}

// A heartbeat with a wrong lease reclaims nothing.
func TestReclaim_WrongLease(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		pass(ttl + time.Second)
		j.Lease = "00000000000000000000000000000001"
		if got := b.beat(a, report(j)); len(got) != 1 || got[0].Command != ffrtmp.CommandStop {
			t.Errorf("got commands %v, want stop", got)
		}
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

// A sealed attempt is never lost.
func TestLease_Sealed(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		b.result(a, j, ffrtmp.ResultPublishing)
		pass(time.Hour)
		b.wantStatus(id, ffrtmp.Running, 1)
		b.result(a, j, ffrtmp.ResultCompleted)
		b.wantStatus(id, ffrtmp.Completed, 1)
	})
}

// A v2.2 node has longer leases, which any of its heartbeats renews.
func TestLease_V22Node(t *testing.T) {
	for name, h := range map[string]*ffrtmp.Heartbeat{"without a body": nil, "that lists nothing": {}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bed) {
				beat := func(node string) {
					t.Helper()
					if _, _, err := b.Heartbeat(t.Context(), node, h); err != nil {
						t.Fatal(err)
					}
				}
				a := b.registerOld("enc-01")
				id := b.submit(ffrtmp.Spec{})
				if _, jobs, err := b.Next(t.Context(), a, "first"); err != nil || len(jobs) != 1 {
					t.Fatalf("got %v (%v), want one job", jobs, err)
				}
				if _, jobs, err := b.Next(t.Context(), a, "second"); err != nil || len(jobs) != 0 {
					t.Fatalf("got %v (%v) from the second request, want none", jobs, err)
				}
				for range 10 {
					pass(LegacyTTL - time.Second)
					beat(a)
				}
				b.wantStatus(id, ffrtmp.Running, 1)
				pass(LegacyTTL + time.Second)
				b.wantStatus(id, ffrtmp.Pending, 1)

				// No other node has the job: the node reclaims it.
				beat(a)
				b.wantStatus(id, ffrtmp.Running, 1)
				pass(LegacyTTL + time.Second)
				b.claimOne(b.register(2, 1))
				beat(a)
				b.wantStatus(id, ffrtmp.Running, 2)
			})
		})
	}
}

// An attempt fails five seconds after its timeout.
func TestTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{Parameters: []byte(`{"resource_limits":{"timeout_sec":60}}`)})
		j := b.claimOne(a)
		for range 6 {
			pass(10 * time.Second)
			b.beat(a, report(j))
		}
		pass(4 * time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		pass(2 * time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
		got := b.job(id)
		if got.RetryCount != 1 || got.Attempts[0].Outcome != ffrtmp.AttemptTimedOut ||
			got.Attempts[0].FailureReason != ffrtmp.Timeout {
			t.Errorf("got %+v, want a timed-out attempt and one retry", got)
		}
		if commands := b.beat(a, report(j)); len(commands) != 1 || commands[0].Command != ffrtmp.CommandStop {
			t.Errorf("got commands %v, want stop", commands)
		}
	})
}

// An expiry that cannot be proposed is retried.
func TestExpire_Retried(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		b.claimOne(a)
		b.log.failWith(errors.New("the disk is slow"))
		pass(ttl + 5*time.Second)
		b.wantStatus(id, ffrtmp.Running, 1)
		b.log.failWith(nil)
		pass(2 * time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

// Leases that expire together take one command; another one has the node's last heartbeat.
func TestExpire_Batched(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 50)
		b.submitJobs(50)
		if got := len(b.claim(a, 50, 0)); got != 50 {
			t.Fatalf("got %d attempts, want 50", got)
		}
		before := b.log.count()
		pass(ttl + time.Second)
		if got := b.log.count() - before; got != 2 {
			t.Errorf("got %d entries, want 2", got)
		}
		if c := b.fsm.Counts(); c.Jobs[ffrtmp.Pending] != 50 {
			t.Errorf("got %v, want 50 pending", c.Jobs)
		}
	})
}

// A silent node is offline until its next contact.
func TestNode_Offline(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		status := func() ffrtmp.NodeStatus {
			n, err := b.fsm.Node(a)
			if err != nil {
				t.Fatal(err)
			}
			return n.Status
		}
		pass(offlineAfter*ttl - time.Second)
		if status() != ffrtmp.NodeAvailable {
			t.Errorf("got %s before the limit, want available", status())
		}
		pass(2 * time.Second)
		if status() != ffrtmp.NodeOffline {
			t.Errorf("got %s after the limit, want offline", status())
		}
		b.beat(a)
		if status() != ffrtmp.NodeAvailable {
			t.Errorf("got %s after a contact, want available", status())
		}
		pass(offlineAfter*ttl + time.Second)
		if status() != ffrtmp.NodeOffline {
			t.Errorf("got %s after the second silence, want offline", status())
		}
	})
}
