package agent

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
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
			f := newMasters(t)
			s := newSite(t, f)
			id := f.submit("360p30-h264", short)
			first := s.child(at).start(t)
			err := first.Wait()
			if status, ok := first.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok ||
				status.Signal() != syscall.SIGKILL {
				t.Fatalf("the first agent ended with %v", err)
			}
			s.start()
			j := f.awaitStatus(id, ffrtmp.Completed)
			s.checkOutput(j, "out.mp4")
			s.checkClean()
			if got := f.results(id); !slices.Equal(got, []string{"publishing 1", "completed 1"}) {
				t.Errorf("results %v", got)
			}
			if n := s.runs(id, 1); n != 1 {
				t.Errorf("ffmpeg ran %d times", n)
			}
		})
	}
}

// The next agent continues to report an ffmpeg that is still running.
func TestRestart_FFmpegRunning(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	a, stop := s.start()
	id := f.submit(slow, `{"output":"out.mp4","duration":4,"preset":"ultrafast"}`)
	f.await(id, "under way", encoding)
	stop() // does not wait: DrainTimeout is 0
	if st, err := s.find(id, 1).State(); err != nil || !st.Running {
		t.Fatalf("ffmpeg ended with the agent: %+v %v", st, err)
	}
	f.mu.Lock()
	f.beats = nil
	f.mu.Unlock()
	b, _ := s.start()
	if a.NodeID() != b.NodeID() {
		t.Error("the node has another identity")
	}
	testkit.Eventually(t, "a heartbeat", f.holds(func() bool { return len(f.beats) > 0 }))
	f.mu.Lock()
	if len(f.beats[0].Attempts) != 1 {
		t.Error("the first heartbeat does not list the attempt")
	}
	f.mu.Unlock()
	f.awaitStatus(id, ffrtmp.Completed)
	if n := s.runs(id, 1); n != 1 {
		t.Errorf("ffmpeg ran %d times", n)
	}
}

// A restarted agent reclaims its expired attempt by heartbeat; a claim would end it.
func TestRestart_LeaseExpired(t *testing.T) {
	t.Parallel()
	f := newQuickMasters(t, time.Hour)
	s := newSite(t, f)
	s.jobs = 2
	id := f.submit(slow, `{"output":"out.mp4","duration":2,"preset":"ultrafast"}`)
	if err := s.child(stepStarted).start(t).Wait(); err == nil {
		t.Fatal("the first agent did not die")
	}
	f.awaitStatus(id, ffrtmp.Pending)
	s.start()
	if j := f.awaitStatus(id, ffrtmp.Completed); j.Attempt != 1 {
		t.Errorf("attempt %d completed the job", j.Attempt)
	}
	if n := s.runs(id, 1); n != 1 {
		t.Errorf("ffmpeg ran %d times", n)
	}
}

// Results wait on disk until a master answers.
func TestResults_NoMasters(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.jobs = 2
	a, stop := s.start()
	first := f.submit(slow, `{"output":"a.mp4","duration":5,"preset":"ultrafast"}`)
	second := f.submit(slow, `{"output":"b.mp4","duration":6,"preset":"ultrafast"}`)
	f.await(first, "under way", encoding)
	f.await(second, "under way", encoding)
	f.SetDown(true)
	testkit.Eventually(t, "ffmpeg ends without masters", func() bool { return a.outbox.unsent.Load() == 2 })
	if _, err := os.Stat(filepath.Join(s.root, "a.mp4")); err == nil {
		t.Error("an output was published before its attempt was sealed")
	}
	stop()
	s.start() // results outlive the agent too
	f.SetDown(false)
	f.awaitStatus(first, ffrtmp.Completed)
	j := f.awaitStatus(second, ffrtmp.Completed)
	s.checkOutput(j, "b.mp4")
	s.checkClean()
	for _, id := range []string{first, second} {
		if got := f.results(id); !slices.Equal(got, []string{"publishing 1", "completed 1"}) {
			t.Errorf("results %v", got)
		}
	}
}

// A supervisor that dies fails the attempt.
func TestSupervisor_Killed(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.start()
	id := f.submit(slow, long)
	f.await(id, "under way", encoding)
	s.killSupervisor(id)
	if j := f.awaitStatus(id, ffrtmp.Failed); j.FailureReason != ffrtmp.PlatformError {
		t.Errorf("%s: %s", j.FailureReason, j.Error)
	}
	s.checkClean()
}

// A run that ended with its machine is released and uses up no retry.
func TestRestart_MachineRebooted(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	_, stop := s.start()
	id := f.submit(slow, long)
	f.await(id, "under way", encoding)
	stop()
	s.killSupervisor(id)
	var said strings.Builder
	s.log = hclog.New(&hclog.LoggerOptions{Output: &said})
	b, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.client.Cordon(t.Context(), b.NodeID()) // so that it does not claim the job again
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
	if got := f.results(id); !slices.Equal(got, []string{"canceled 1"}) {
		t.Error(got)
	}
	s.checkClean()
	looking.Wait()
	stop()
	if text := said.String(); strings.Contains(text, "[ERROR]") {
		t.Errorf("the log has errors:\n%s", text)
	}
}

// What cannot be read or removed in the state directory does not keep an agent from starting.
func TestRestart_UnreadableAttempt(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
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
	f := newMasters(t)
	s := newSite(t, f)
	a, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
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
	if n := s.runs(at.jobID, 1); n != 0 {
		t.Errorf("ffmpeg ran %d times", n)
	}
}

func (s *site) killSupervisor(id string) {
	s.t.Helper()
	var who struct {
		PID int `json:"pid"`
	}
	err := readJSON(filepath.Join(s.state, "attempts", attemptID{id, 1}.String(), "supervisor.json"), &who)
	if err != nil || who.PID == 0 {
		s.t.Fatalf("the supervisor's pid: %v", err)
	}
	if err := syscall.Kill(who.PID, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
}
