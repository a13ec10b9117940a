package leader

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// A command ends the wait of a heartbeat at once.
func TestHeartbeat_WokenByCommand(t *testing.T) {
	for _, step := range []struct {
		action ffrtmp.Action
		want   ffrtmp.Verb
	}{{ffrtmp.Cancel, ffrtmp.CommandCancel}, {ffrtmp.Pause, ffrtmp.CommandPause}} {
		t.Run(string(step.action), func(t *testing.T) {
			inBubble(t, func(t *testing.T, b *bed) {
				a, id, j := b.running()
				start := time.Now()
				answer := make(chan []ffrtmp.Command, 1)
				go func() { answer <- b.beatWait(a, 10*time.Second, report(j)) }()
				pass(3 * time.Second)
				b.act(step.action, id)
				commands := <-answer
				if len(commands) != 1 || commands[0] != (ffrtmp.Command{Command: step.want, JobID: id, Attempt: 1}) {
					t.Errorf("got commands %v, want %s", commands, step.want)
				}
				if took := time.Since(start); took != 3*time.Second {
					t.Errorf("got an answer after %s, want 3s", took)
				}
				if again := b.beat(a, report(j)); len(again) != 1 {
					t.Errorf("got %v from another heartbeat, want the command again", again)
				}
			})
		})
	}
}

// A heartbeat waits for at most a third of the lease time.
func TestHeartbeat_WaitBound(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		start := time.Now()
		if commands := b.beatWait(a, time.Minute); len(commands) != 0 {
			t.Errorf("got commands %v, want none", commands)
		}
		if took := time.Since(start); took != ttl/3 {
			t.Errorf("got an answer after %s, want %s", took, ttl/3)
		}
	})
}

// Pause and resume are repeated until the node agrees.
func TestHeartbeat_PauseAndResume(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		r := report(j)
		b.act(ffrtmp.Pause, id)
		want := func(verb ffrtmp.Verb) {
			t.Helper()
			commands := b.beat(a, r)
			switch {
			case verb == "" && len(commands) == 0:
			case len(commands) != 1 || commands[0].Command != verb:
				t.Errorf("got commands %v, want %q", commands, verb)
			}
		}
		want(ffrtmp.CommandPause)
		want(ffrtmp.CommandPause)
		r.Paused = true
		want("")
		b.act(ffrtmp.Resume, id)
		want(ffrtmp.CommandResume)
		r.Paused = false
		want("")
		b.wantStatus(id, ffrtmp.Running, 1)

		// A paused attempt that is lost leaves the job paused, without one.
		b.act(ffrtmp.Pause, id)
		pass(ttl + time.Second)
		b.wantStatus(id, ffrtmp.Paused, 1)
		b.act(ffrtmp.Resume, id)
		b.wantStatus(id, ffrtmp.Pending, 1)
	})
}

// An agent that knows only the contract never reports a pause and is slow to end an
// attempt.
func TestHeartbeat_CommandEndsOneWait(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, id, j := b.running()
		want := func(when string, verb ffrtmp.Verb, after time.Duration) {
			t.Helper()
			start := time.Now()
			commands := b.beatWait(a, 5*time.Second, report(j))
			if len(commands) != 1 || commands[0].Command != verb {
				t.Errorf("%s: got commands %v, want %s", when, commands, verb)
			}
			if took := time.Since(start); took != after {
				t.Errorf("%s: got an answer after %s, want %s", when, took, after)
			}
		}
		b.act(ffrtmp.Pause, id)
		want("paused", ffrtmp.CommandPause, 0)
		want("sent already", ffrtmp.CommandPause, 5*time.Second)
		b.act(ffrtmp.Resume, id)
		want("resumed", ffrtmp.CommandResume, 0)
		if commands := b.beatWait(a, 5*time.Second, report(j)); len(commands) != 0 {
			t.Errorf("got commands %v for a resumed attempt, want none", commands)
		}
		b.act(ffrtmp.Pause, id)
		want("paused again", ffrtmp.CommandPause, 0)
		b.lead(false)
		b.lead(true)
		want("new leader", ffrtmp.CommandPause, 0)
		want("sent by the new leader", ffrtmp.CommandPause, 5*time.Second)
		b.act(ffrtmp.Cancel, id)
		want("canceled", ffrtmp.CommandCancel, 0)
		want("still running", ffrtmp.CommandCancel, 5*time.Second)
	})
}

// A node gets no command for an attempt that it has ended itself.
func TestHeartbeat_AttemptEndedByNode(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a, _, j := b.running()
		answer := make(chan []ffrtmp.Command, 1)
		go func() { answer <- b.beatWait(a, 10*time.Second, report(j)) }()
		synctest.Wait()
		b.result(a, j, ffrtmp.ResultCompleted)
		if commands := <-answer; len(commands) != 0 {
			t.Errorf("got commands %v, want none", commands)
		}
	})
}

// The report interval grows with the number of nodes.
func TestHeartbeat_IntervalByNodeCount(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		_, timing, err := b.Heartbeat(t.Context(), a, nil)
		if err != nil || timing.Report != time.Second || timing.LeaseTTL != ttl {
			t.Errorf("one node: got %+v, %v, want a report each second", timing, err)
		}
		for n := range 2 * reportsPerSecond {
			b.register(n, 1)
		}
		if _, timing, err = b.Heartbeat(t.Context(), a, nil); err != nil || timing.Report != 2*time.Second {
			t.Errorf("1,000 nodes: got %+v, %v, want a report each 2s", timing, err)
		}
	})
}

// Progress is visible at once and committed in one command.
func TestProgress_LiveAndSaved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 20)
		b.submitJobs(20)
		jobs := b.claim(a, 20, 0)
		before := b.log.count()
		for second := range 25 {
			pass(time.Second)
			for _, j := range jobs {
				r := report(j)
				r.Progress, r.Detail = float64(second), &ffrtmp.Progress{Frame: int64(second)}
				b.beat(a, r)
			}
		}
		live, saved := b.job(jobs[7].ID), b.job(jobs[7].ID)
		b.Overlay(&live)
		if live.Progress != 24 || live.ProgressDetail.Frame != 24 || saved.Progress != 0 {
			t.Errorf("got live progress %d, saved %d, want 24 and 0", live.Progress, saved.Progress)
		}
		if got := b.log.count() - before; got != 0 {
			t.Errorf("got %d entries for 500 heartbeats, want none", got)
		}
		pass(10 * time.Second)
		if got := b.log.count() - before; got != 1 {
			t.Errorf("got %d entries for the progress of 20 jobs, want 1", got)
		}
		// A new leader has it and does not reset it.
		b.lead(false)
		b.lead(true)
		now := b.job(jobs[7].ID)
		b.Overlay(&now)
		if now.Progress != 24 || now.ProgressDetail.Frame != 24 {
			t.Errorf("got progress %d after a change of leader, want 24", now.Progress)
		}
	})
}

// A failed job shows how far its last attempt came; a result that is not the attempt's own changes nothing.
func TestResult_FailedProgress(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		b.submitJobs(1)
		j := b.claim(a, 1, 0)[0]
		r := ffrtmp.Result{
			JobID: j.ID, NodeID: a, Attempt: j.Attempt, Lease: "another", Status: ffrtmp.ResultFailed,
			FailureReason: ffrtmp.UserError, Error: "moov", Progress: 37,
			ProgressDetail: &ffrtmp.Progress{Phase: "encoding", Frame: 370, OutTimeSeconds: 3.7},
		}
		if _, _, err := b.Result(t.Context(), fsm.Idempotency{}, &r); err == nil || b.job(j.ID).Progress != 0 {
			t.Errorf("another lease: got %v and progress %d, want a refusal and 0", err, b.job(j.ID).Progress)
		}
		r.Lease = j.Lease
		if _, _, err := b.Result(t.Context(), fsm.Idempotency{}, &r); err != nil {
			t.Fatal(err)
		}
		got := b.job(j.ID)
		if got.Status != ffrtmp.Failed || got.Progress != 37 || got.ProgressDetail == nil ||
			got.ProgressDetail.Frame != 370 {
			t.Errorf("got %s, %d%%, %+v, want failed at 37%% and frame 370", got.Status, got.Progress,
				got.ProgressDetail)
		}
	})
}

// The heartbeats of all nodes, idle ones included, are committed in one command, and only while they are sent.
func TestHeartbeats_Saved(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		idle, quiet := b.register(1, 1), b.register(2, 1)
		saved := func(id string) time.Time {
			t.Helper()
			n, err := b.fsm.Node(id)
			if err != nil {
				t.Fatal(err)
			}
			return n.LastHeartbeat
		}
		registered := saved(idle)
		before := b.log.count()
		for range 25 {
			pass(time.Second)
			b.beat(idle)
		}
		pass(10 * time.Second)
		if got := saved(idle).Sub(registered); got != 25*time.Second {
			t.Errorf("got a heartbeat %v after the registration, want 25s", got)
		}
		if got := saved(quiet); !got.Equal(registered) {
			t.Errorf("got heartbeat %v of a silent node, want that of its registration, %v", got, registered)
		}
		if got := b.log.count() - before; got != 1 {
			t.Errorf("got %d entries for 25 heartbeats, want 1", got)
		}
	})
}

// Failures are logged in v2.2's words.
func TestResult_LogsV22Lines(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		a := b.register(1, 1)
		id := b.submit(ffrtmp.Spec{})
		for range 4 {
			jobs := b.claim(a, 1, time.Minute)
			if len(jobs) != 1 {
				t.Fatalf("got %d attempts, want 1", len(jobs))
			}
			b.result(a, jobs[0], ffrtmp.ResultFailed)
			b.result(a, jobs[0], ffrtmp.ResultFailed) // sent twice, logged once
		}
		b.wantStatus(id, ffrtmp.Failed, 4)
		for _, want := range []string{
			"job " + id + " failed on node " + a + " (attempt 1/4) - re-queued for retry",
			"job " + id + " failed on node " + a + " (attempt 3/4) - re-queued for retry",
			"job " + id + " failed after 4 attempts - max retries reached",
		} {
			if got := strings.Count(b.logs.String(), want); got != 1 {
				t.Errorf("got %d log lines, want one of %s:\n%s", got, want, b.logs)
			}
		}
		if strings.Contains(b.logs.String(), "(attempt 4/4)") {
			t.Error("got the last run logged as retried, want it as failed")
		}
	})
}
