package leader

import (
	"errors"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

func TestALeaseThatNobodyRenewsRunsOut(t *testing.T) {
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
			t.Fatalf("second claim: %+v", second)
		}
		if got := b.beat(a, report(first)); len(got) != 1 || got[0].Command != ffrtmp.CommandStop {
			t.Errorf("the fenced node is told %v, want stop", got)
		}
		_, _, err := b.Result(t.Context(), fsm.Idempotency{}, &ffrtmp.Result{JobID: id, NodeID: a, Attempt: 1, Lease: first.Lease, Status: ffrtmp.ResultCompleted})
		if ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
			t.Errorf("the fenced node's result: %v, want stale_attempt", err)
		}
		b.wantStatus(id, ffrtmp.Running, 2)
	})
}

// A node that fell silent may have left a claim open. To give it its own job again
// would end the attempt that it may still run.
func TestALostJobIsNotGivenToTheSilence(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		silent := b.register(1, 2)
		id := b.submit(ffrtmp.Spec{})
		first := b.claimOne(silent)
		b.beat(silent, report(first))
		ended := make(chan []ffrtmp.Job)
		go func() { ended <- b.claim(silent, 1, time.Hour) }()
		pass(ttl + time.Second)
		if jobs := <-ended; len(jobs) > 0 {
			t.Errorf("the silent node was given %v", jobs)
		}
		b.wantStatus(id, ffrtmp.Pending, 1)
		b.beat(silent, report(first))
		b.wantStatus(id, ffrtmp.Running, 1)
	})
}

func TestHeartbeatsKeepALeaseAlive(t *testing.T) {
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

func TestALostAttemptIsTakenBackByItsNode(t *testing.T) {
	for _, by := range []string{"heartbeat", "result"} {
		t.Run(by, func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bed) {
				a := b.register(1, 1)
				id := b.submit(ffrtmp.Spec{})
				j := b.claimOne(a)
				pass(ttl + time.Second)
				b.wantStatus(id, ffrtmp.Pending, 1)
				if by == "result" {
					b.result(a, j, ffrtmp.ResultCompleted)
					b.wantStatus(id, ffrtmp.Completed, 1)
					return
				}
				if got := b.beat(a, report(j)); len(got) != 0 {
					t.Errorf("commands: %v", got)
				}
				b.wantStatus(id, ffrtmp.Running, 1)
				pass(ttl + time.Second) // and it has a lease again, that runs out again
				b.wantStatus(id, ffrtmp.Pending, 1)
			})
		})
	}
}

// A node that was silent for too long may hand in its result before it sends its next
// heartbeat. That is not told to stop then: nobody else would ever finish the job.
func TestALostAttemptThatPublishesGoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		node := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(node)
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Pending, 1)
		b.result(node, j, ffrtmp.ResultPublishing)
		for range 3 {
			if commands := b.beat(node, report(j)); len(commands) > 0 {
				t.Fatalf("commands %+v", commands)
			}
			pass(ttl)
		}
		b.wantStatus(id, ffrtmp.Running, 1)
		b.result(node, j, ffrtmp.ResultCompleted)
		b.wantStatus(id, ffrtmp.Completed, 1)
	})
}

// The heartbeat has been answered as if all were well, so that its node does not know
// that it should say anything. Its job must not be given away.
func TestAHeartbeatBesideTheExpiryKeepsTheJob(t *testing.T) {
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
			t.Errorf("the other node was given %v", jobs)
		}
	})
}

func TestAHeartbeatWithAWrongLeaseTakesNothingBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(a)
		pass(ttl + time.Second)
		j.Lease = "00000000000000000000000000000001"
		if got := b.beat(a, report(j)); len(got) != 1 || got[0].Command != ffrtmp.CommandStop {
			t.Errorf("commands: %v, want stop", got)
		}
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

func TestASealedAttemptIsNeverLost(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		j := b.claimOne(a)
		b.result(a, j, ffrtmp.ResultPublishing)
		pass(time.Hour)
		b.wantStatus(id, ffrtmp.Running, 1)
		b.result(a, j, ffrtmp.ResultCompleted)
		b.wantStatus(id, ffrtmp.Completed, 1)
	})
}

func TestLegacyNodesHaveLongerLeasesThatAnyHeartbeatRenews(t *testing.T) {
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
					t.Fatalf("next: %v, %v", jobs, err)
				}
				if _, jobs, err := b.Next(t.Context(), a, "second"); err != nil || len(jobs) != 0 {
					t.Fatalf("next again: %v, %v; it must not name what the node has", jobs, err)
				}
				for range 10 {
					pass(LegacyTTL - time.Second)
					beat(a)
				}
				b.wantStatus(id, ffrtmp.Running, 1)
				pass(LegacyTTL + time.Second)
				b.wantStatus(id, ffrtmp.Pending, 1)

				// Nobody else has the job: the node takes it back.
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

func TestATimeoutIsAFailureFiveSecondsLater(t *testing.T) {
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
		if got.RetryCount != 1 || got.Attempts[0].Outcome != ffrtmp.AttemptTimedOut || got.Attempts[0].FailureReason != ffrtmp.Timeout {
			t.Errorf("after the timeout: %+v", got)
		}
		if commands := b.beat(a, report(j)); len(commands) != 1 || commands[0].Command != ffrtmp.CommandStop {
			t.Errorf("commands: %v, want stop", commands)
		}
	})
}

func TestAnExpiryThatCannotBeProposedIsProposedAgain(t *testing.T) {
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

func TestExpiriesOfOneMomentAreOneCommand(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 50)
		for range 50 {
			b.submit(ffrtmp.Spec{})
		}
		if got := len(b.claim(a, 50, 0)); got != 50 {
			t.Fatalf("claimed %d", got)
		}
		before := b.log.count()
		pass(ttl + time.Second)
		if got := b.log.count() - before; got != 1 {
			t.Errorf("50 leases ran out in %d entries, want 1", got)
		}
		if c := b.fsm.Counts(); c.Jobs[ffrtmp.Pending] != 50 {
			t.Errorf("counts: %v", c.Jobs)
		}
	})
}

func TestASilentNodeIsOfflineUntilItSpeaks(t *testing.T) {
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
			t.Error("offline too early")
		}
		pass(2 * time.Second)
		if status() != ffrtmp.NodeOffline {
			t.Error("not offline")
		}
		b.beat(a)
		if status() != ffrtmp.NodeAvailable {
			t.Error("not back")
		}
		pass(offlineAfter*ttl + time.Second)
		if status() != ffrtmp.NodeOffline {
			t.Error("not offline again")
		}
	})
}
