package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// An agent dies by SIGKILL after each step; the next one completes the job once.
func TestRestart_AfterEveryStep(t *testing.T) {
	for _, at := range []step{
		stepClaimed, stepStarted, stepEnded, stepDecided, stepSealed, stepMoved, stepDelivered,
		stepRemoved,
	} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			f, s := newMastersAndSite(t)
			id := f.submit("360p30-h264", short)
			first := s.child(at).start(t)
			err := first.Wait()
			if status, ok := first.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok ||
				status.Signal() != syscall.SIGKILL {
				t.Fatalf("first agent: got %v, want SIGKILL", err)
			}
			s.start()
			j := f.awaitStatus(id, ffrtmp.Completed)
			s.checkOutput(j, "out.mp4")
			s.checkCompletedOnce(f, id)
		})
	}
}

// The next agent continues to report an ffmpeg that is still running.
func TestRestart_FFmpegRunning(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.hold()
	a, stop := s.start()
	id := f.submit("360p30-h264", short)
	p := s.awaitFFmpeg(a, id)
	stop() // does not wait: DrainTimeout is 0
	if st, err := p.State(); err != nil || !st.Running {
		t.Fatalf("after the agent's end: got %+v, %v, want a running ffmpeg", st, err)
	}
	f.mu.Lock()
	f.beats = nil
	f.mu.Unlock()
	b, _ := s.start()
	if a.NodeID() != b.NodeID() {
		t.Errorf("got node %s, want %s", b.NodeID(), a.NodeID())
	}
	testkit.Eventually(t, "a heartbeat", f.holds(func() bool { return len(f.beats) > 0 }))
	f.mu.Lock()
	if n := len(f.beats[0].Attempts); n != 1 {
		t.Errorf("first heartbeat: got %d attempts, want 1", n)
	}
	f.mu.Unlock()
	s.release()
	f.awaitStatus(id, ffrtmp.Completed)
	s.checkOneRun(id)
}

// A restarted agent reclaims its expired attempt by heartbeat; a claim would end it.
func TestRestart_LeaseExpired(t *testing.T) {
	t.Parallel()
	f := newQuickMasters(t, time.Hour)
	s := newSite(t, f)
	s.jobs = 2
	id := f.submit(slow, `{"output":"out.mp4","duration":2,"preset":"ultrafast"}`)
	if err := s.child(stepStarted).start(t).Wait(); err == nil {
		t.Fatal("first agent: got a clean end, want SIGKILL")
	}
	f.awaitStatus(id, ffrtmp.Pending)
	s.start()
	if j := f.awaitStatus(id, ffrtmp.Completed); j.Attempt != 1 {
		t.Errorf("got attempt %d completed, want attempt 1", j.Attempt)
	}
	s.checkOneRun(id)
}

// Results wait on disk until a master answers.
func TestResults_NoMasters(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.jobs = 2
	s.hold()
	a, stop := s.start()
	first := f.submit("360p30-h264", `{"output":"a.mp4","duration":1,"preset":"ultrafast"}`)
	second := f.submit("360p30-h264", `{"output":"b.mp4","duration":1,"preset":"ultrafast"}`)
	s.awaitFFmpeg(a, first)
	s.awaitFFmpeg(a, second)
	f.SetDown(true)
	s.release()
	testkit.Eventually(t, "ffmpeg ends without masters", func() bool { return a.outbox.unsent.Load() == 2 })
	if _, err := os.Stat(filepath.Join(s.root, "a.mp4")); err == nil {
		t.Error("got an output before its attempt was sealed, want none")
	}
	stop()
	s.start() // results outlive the agent too
	f.SetDown(false)
	f.awaitStatus(first, ffrtmp.Completed)
	j := f.awaitStatus(second, ffrtmp.Completed)
	s.checkOutput(j, "b.mp4")
	for _, id := range []string{first, second} {
		s.checkResults(f, id, "publishing 1", "completed 1")
	}
}

// A supervisor that dies fails the attempt.
func TestSupervisor_Killed(t *testing.T) {
	t.Parallel()
	f, s, id := startEncode(t)
	s.killSupervisor(id)
	if j := f.awaitStatus(id, ffrtmp.Failed); j.FailureReason != ffrtmp.PlatformError {
		t.Errorf("got %s: %s, want a platform error", j.FailureReason, j.Error)
	}
	s.checkClean()
}

// A run that ended with its machine is released and uses up no retry.
func TestRestart_MachineRebooted(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	_, stop := s.start()
	id := f.encode()
	stop()
	s.killSupervisor(id)
	var said strings.Builder
	s.log = hclog.New(&hclog.LoggerOptions{Output: &said})
	b := s.agent()
	_, err := f.client.Cordon(t.Context(), b.NodeID()) // so that it does not claim the job again
	f.must(err)
	// Heartbeats continue until the attempt is gone.
	var looking sync.WaitGroup
	removed := make(chan struct{})
	b.onStep = func(at *attempt, now step) {
		switch now {
		case stepDelivered:
			looking.Go(func() {
				for {
					select {
					case <-removed:
						return
					default:
						at.report()
					}
				}
			})
		case stepRemoved:
			close(removed)
		}
	}
	stop = s.run(b)
	j := f.awaitStatus(id, ffrtmp.Pending)
	if j.RetryCount != 0 {
		t.Errorf("got %d retries, want 0", j.RetryCount)
	}
	s.checkResults(f, id, "canceled 1")
	looking.Wait()
	stop()
	if text := said.String(); strings.Contains(text, "[ERROR]") {
		t.Errorf("got errors in the log, want none:\n%s", text)
	}
}

// What cannot be read or removed in the state directory does not keep an agent from starting.
func TestRestart_UnreadableAttempt(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	attempts := filepath.Join(s.state, "attempts")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(attempts, "stuck", "claim.json", "full"), 0o700), // neither read nor removed
		os.WriteFile(filepath.Join(attempts, "x.mp4"), nil, 0o600),
		os.MkdirAll(filepath.Join(attempts, "damaged"), 0o700),
		os.WriteFile(filepath.Join(attempts, "damaged", "claim.json"), []byte("{"), 0o600),
		os.WriteFile(filepath.Join(attempts, "damaged", "supervisor.json"), []byte("{"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	f.awaitStatus(f.submit("360p30-h264", short), ffrtmp.Completed)
	if _, err := os.Stat(filepath.Join(attempts, "damaged")); err == nil {
		t.Error("got a damaged attempt left behind, want it removed")
	}
}

// An attempt without claim.json is only removed; ffmpeg does not run again.
func TestRestart_HalfRemoved(t *testing.T) {
	t.Parallel()
	_, s := newMastersAndSite(t)
	a := s.agent()
	a.work, a.endWork = context.WithCancelCause(context.Background())
	defer a.close()
	at := a.adopt(ffrtmp.Job{
		ID: uuid.NewString(), Attempt: 1, Lease: "lease", Scenario: slow,
		Parameters: json.RawMessage(long),
	})
	if err := at.dir.create(&at.job); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(at.dir.file("claim.json")); err != nil {
		t.Fatal(err)
	}
	a.spawn(at)
	s.checkClean()
	if n := s.runs(at.jobID); n != 0 {
		t.Errorf("got %d runs of ffmpeg, want 0", n)
	}
}

func (s *site) killSupervisor(id string) {
	s.t.Helper()
	var who struct {
		PID int `json:"pid"`
	}
	err := atomicfile.ReadJSON(filepath.Join(s.state, "attempts", attemptID{id, 1}.String(), "supervisor.json"), &who)
	if err != nil || who.PID == 0 {
		s.t.Fatalf("got no pid of the supervisor (%v), want one", err)
	}
	if err := syscall.Kill(who.PID, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}
