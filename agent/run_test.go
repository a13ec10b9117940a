package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const (
	short = `{"output":"out.mp4","overwrite":true,"duration":1,"preset":"ultrafast"}`
	// slow is a scenario that is encoded in real time, and so costs next to nothing.
	slow = "360p10-h264"
	long = `{"output":"out.mp4","overwrite":true,"duration":3600,"preset":"ultrafast"}`
)

// newMastersAndSite returns a site whose agents, once started, work for new masters.
func newMastersAndSite(t *testing.T) (*masters, *site) {
	t.Helper()
	f := newMasters(t)
	return f, newSite(t, f)
}

// startEncode starts an agent and waits until it encodes a long job.
func startEncode(t *testing.T) (f *masters, s *site, id string) {
	t.Helper()
	f, s = newMastersAndSite(t)
	s.start()
	return f, s, f.encode()
}

// encode submits a long job and waits until an agent encodes it.
func (f *masters) encode() (id string) {
	f.t.Helper()
	id = f.submit(slow, long)
	f.awaitEncoding(id)
	return id
}

func (f *masters) awaitEncoding(id string) {
	f.t.Helper()
	f.await(id, "encoding", func(j ffrtmp.Job) bool { return j.ProgressDetail != nil && j.ProgressDetail.Frame > 0 })
}

// complete submits a short job and waits until an agent has completed it.
func (f *masters) complete() (id string) {
	f.t.Helper()
	id = f.submit("360p-h264", short)
	f.awaitStatus(id, ffrtmp.Completed)
	return id
}

// An agent without a working encoder logs a warning.
func TestProbe_NoEncoder(t *testing.T) {
	t.Parallel()
	s := newSite(t, newMasters(t))
	s.ffmpeg = "/bin/echo"
	var log bytes.Buffer
	s.log = hclog.New(&hclog.LoggerOptions{Output: &log})
	a := s.agent()
	a.tryEncoders(t.Context())
	if !strings.Contains(log.String(), "[WARN]  no encoder works") {
		t.Errorf("got log %s, want a warning", log.String())
	}
}

// An idle agent claims a job at once and completes it.
func TestRun_Completed(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	a := s.agent()
	a.cfg.PollInterval = time.Hour // an agent that polled would not get the job in time
	s.run(a)
	testkit.Eventually(t, "a claim", f.holds(func() bool { return len(f.claims) > 0 }))
	id := f.submit("360p30-h264", short)
	j := f.awaitStatus(id, ffrtmp.Completed)
	s.checkOutput(j, "out.mp4")
	s.checkResults(f, id, "publishing 1", "completed 1")
	if log := f.log(id); !strings.Contains(log, "Output #0") {
		t.Errorf("got log %q, want ffmpeg's", log)
	}
	node, err := f.client.Node(t.Context(), a.NodeID())
	f.must(err)
	f.mu.Lock()
	metrics := f.accepted[1].Metrics
	f.mu.Unlock()
	if !slices.Contains(node.Encoders, "libx264") || node.CPUThreads < 1 || node.RAMTotalBytes == 0 ||
		node.MaxConcurrentJobs != 1 || node.Name != "node" {
		t.Errorf("got node %+v, want this machine", node)
	}
	if !strings.Contains(string(metrics), `"frames":30`) {
		t.Errorf("got metrics %s, want 30 frames", metrics)
	}
}

// A failed job has a reason and no output.
func TestRun_Failed(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	for _, name := range []string{"broken.mp4", "broken.png"} {
		if err := os.WriteFile(filepath.Join(s.root, name), []byte("not a film"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.film("film.mp4")
	s.start()
	for _, tt := range []struct {
		name, parameters string
		reason           ffrtmp.FailureReason
		unseen           bool
	}{
		{"missing input", `{"input":"none.mp4","output":"out.mp4"}`, ffrtmp.InputError, true},
		{"outside of the roots", `{"input":"../x.mp4","output":"out.mp4"}`, ffrtmp.UserError, true},
		{"broken input", `{"input":"broken.mp4","output":"out.mp4"}`, ffrtmp.UserError, false},
		{"start beyond the end", `{"input":"film.mp4","output":"out.mp4","start":"1:00"}`, ffrtmp.UserError, false},
		{"start after the end", `{"input":"film.mp4","output":"out.mp4","start":0.995}`, ffrtmp.UserError, false},
		{"watermark is no picture", `{"output":"out.mp4","watermark":{"image":"broken.png"}}`, ffrtmp.UserError, false},
		{"no watermark", `{"output":"out.mp4","watermark":{"image":"none.png"}}`, ffrtmp.InputError, true},
		{"picture is none", `{"input":"film.mp4","picture":"broken.png","output":"out.mp4"}`, ffrtmp.UserError, false},
		{"input is no picture", `{"input":"broken.png","duration":1,"output":"out.mp4"}`, ffrtmp.UserError, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := f.submit("360p-h264", tt.parameters)
			j := f.awaitStatus(id, ffrtmp.Failed)
			if j.FailureReason != tt.reason || j.Error == "" {
				t.Errorf("got %s: %q, want %s with an error", j.FailureReason, j.Error, tt.reason)
			}
			unseen := strconv.FormatBool(tt.unseen)
			testkit.Eventually(t, "a result with input_unseen "+unseen, f.holds(func() bool {
				return slices.ContainsFunc(f.accepted, func(r ffrtmp.Result) bool {
					return r.JobID == id && r.InputUnseen == tt.unseen
				})
			}))
			s.checkClean()
			if _, err := os.Stat(filepath.Join(s.root, "out.mp4")); err == nil {
				t.Error("got an output of a failed job, want none")
			}
		})
	}
}

// A failed attempt reports how far it came, without the speed of an ffmpeg that has ended.
func TestRun_FailedProgress(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.start()
	id := f.submit("720p", `{"output":"out.mp4","duration":600,"bitrate":"50M","resource_limits":{"max_disk_mb":1}}`)
	f.awaitStatus(id, ffrtmp.Failed)
	testkit.Eventually(t, "a result with its progress", f.holds(func() bool {
		return slices.ContainsFunc(f.accepted, func(r ffrtmp.Result) bool {
			p := r.ProgressDetail
			return r.JobID == id && p != nil && p.OutTimeSeconds > 0 && p.Frame > 0 && p.Speed == 0
		})
	}))
}

// A job never overwrites its input, however the output is spelled.
func TestOutput_IsInput(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	at := func(name string) string { return filepath.Join(s.root, name) }
	film := s.film("film.mp4")
	for _, err := range []error{
		os.Symlink("film.mp4", at("link.mp4")), os.Link(at("film.mp4"), at("hard.mp4")),
		os.Mkdir(at("sub"), 0o700), os.Symlink(".", at("dir")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	for _, tt := range []struct{ name, input, output string }{
		{"the same name", "film.mp4", "film.mp4"},
		{"another spelling", "film.mp4", "sub/../film.mp4"},
		{"an absolute path", "film.mp4", at("film.mp4")},
		{"a linked directory", "film.mp4", "dir/film.mp4"},
		{"a link to the input", "film.mp4", "link.mp4"},
		{"a link from the input", "link.mp4", "film.mp4"},
		{"a hard link", "film.mp4", "hard.mp4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := f.submit("360p-h264", fmt.Sprintf(`{"input":%q,"output":%q}`, tt.input, tt.output))
			j := f.awaitStatus(id, ffrtmp.Failed)
			if j.FailureReason != ffrtmp.UserError || !strings.Contains(j.Error, "is the input itself") {
				t.Errorf("got %s: %s, want a user error: the output is the input", j.FailureReason, j.Error)
			}
			if data, err := os.ReadFile(at("film.mp4")); err != nil || !bytes.Equal(data, film) {
				t.Errorf("input: got %d bytes (%v), want %d unchanged", len(data), err, len(film))
			}
			s.checkClean()
		})
	}
}

// A job replaces an existing file only with overwrite; one that appears while it runs stays, too.
func TestOutput_Exists(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	out := filepath.Join(s.root, "out.mp4")
	write := func() {
		if err := os.WriteFile(out, []byte("a user's"), 0o600); err != nil {
			t.Error(err)
		}
	}
	var late atomic.Bool
	a := s.agent()
	a.onStep = func(_ *attempt, at step) {
		if late.Load() && at == stepSealed {
			write()
		}
	}
	s.run(a)
	const parameters = `{"output":"out.mp4","duration":1,"preset":"ultrafast"}`
	for _, isLate := range []bool{false, true} {
		late.Store(isLate)
		if !isLate {
			write()
		}
		j := f.awaitStatus(f.submit("360p-h264", parameters), ffrtmp.Failed)
		if j.FailureReason != ffrtmp.UserError || !strings.Contains(j.Error, "out.mp4 exists") {
			t.Errorf("late %v: got %s: %s, want a user error: the output exists", isLate, j.FailureReason, j.Error)
		}
		if data, err := os.ReadFile(out); err != nil || string(data) != "a user's" {
			t.Errorf("late %v: got %.20q (%v), want it unchanged", isLate, data, err)
		}
		s.checkClean()
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
	}
	write()
	late.Store(false)
	s.checkOutput(f.awaitStatus(f.submit("360p-h264", short), ffrtmp.Completed), "out.mp4")
}

// The output may turn into the input while ffmpeg runs.
func TestOutput_BecomesInput(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	film := s.film("film.mp4")
	a := s.agent()
	a.onStep = func(_ *attempt, at step) {
		if at == stepSealed {
			if err := os.Symlink("film.mp4", filepath.Join(s.root, "out.mp4")); err != nil {
				t.Error(err)
			}
		}
	}
	s.run(a)
	j := f.awaitStatus(f.submit("360p-h264", `{"input":"film.mp4","output":"out.mp4","preset":"ultrafast"}`),
		ffrtmp.Failed)
	if j.FailureReason != ffrtmp.UserError || !strings.Contains(j.Error, "is the input itself") {
		t.Errorf("got %s: %s, want a user error: the output is the input", j.FailureReason, j.Error)
	}
	if data, err := os.ReadFile(filepath.Join(s.root, "film.mp4")); err != nil || !bytes.Equal(data, film) {
		t.Errorf("input: got %d bytes (%v), want %d unchanged", len(data), err, len(film))
	}
	s.checkClean()
}

// film makes a second of film below the root and returns it.
func (s *site) film(name string) []byte {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=12", "-t", "1",
		"-preset", "ultrafast", path).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}

// A job fails when its output directory moves, and the node keeps working.
func TestOutput_DirectoryMoved(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.hold()
	a, _ := s.start()
	id := f.submit("360p30-h264", `{"output":"sub/out.mp4","duration":1,"preset":"ultrafast"}`)
	s.awaitFFmpeg(a, id)
	elsewhere := filepath.Join(t.TempDir(), "sub")
	if err := errors.Join(os.Rename(filepath.Join(s.root, "sub"), elsewhere),
		os.Symlink(elsewhere, filepath.Join(s.root, "sub"))); err != nil {
		t.Fatal(err)
	}
	s.release()
	f.awaitStatus(id, ffrtmp.Failed)
	f.awaitStatus(f.submit("360p30-h264", short), ffrtmp.Completed)
	s.checkClean()
}

// A cancel ends ffmpeg's whole process group. TestChaos_CancelInTwoSeconds measures how soon.
func TestCancel_EndsProcessGroup(t *testing.T) {
	t.Parallel()
	f, s, id := startEncode(t)
	var ffmpeg struct {
		PID int `json:"pid"`
	}
	if err := atomicfile.ReadJSON(filepath.Join(s.state, "attempts", attemptID{id, 1}.String(), "ffmpeg.json"),
		&ffmpeg); err != nil || ffmpeg.PID == 0 {
		t.Fatalf("got no pid of ffmpeg (%v), want one", err)
	}
	f.cancel(id)
	testkit.Eventually(t, "ffmpeg's process group ends", func() bool {
		return errors.Is(syscall.Kill(-ffmpeg.PID, 0), syscall.ESRCH)
	})
	s.checkClean()
	next := f.submit("360p-h264", short)
	f.awaitStatus(next, ffrtmp.Completed)
}

// A pause stops ffmpeg until it is resumed.
func TestPause_Resume(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	a, _ := s.start()
	id := f.encode()
	p := s.awaitFFmpeg(a, id)
	f.must(f.client.Pause(t.Context(), id))
	testkit.Eventually(t, "ffmpeg is paused", func() bool { st, err := p.State(); return err == nil && st.Paused })
	testkit.Eventually(t, "a heartbeat says paused", f.holds(func() bool {
		return len(f.beats[len(f.beats)-1].Attempts) == 1 && f.beats[len(f.beats)-1].Attempts[0].Paused
	}))
	paused, err := p.State()
	f.must(err)
	f.must(f.client.Resume(t.Context(), id))
	testkit.Eventually(t, "ffmpeg continues", func() bool {
		st, err := p.State()
		return err == nil && !st.Paused && st.Progress.Frame > paused.Progress.Frame
	})
}

// An attempt that was reassigned is stopped and publishes nothing.
func TestStop_Reassigned(t *testing.T) {
	t.Parallel()
	f := newQuickMasters(t, time.Millisecond)
	s := newSite(t, f)
	old := filepath.Join(s.root, "out.mp4")
	if err := os.WriteFile(old, []byte("another node's"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	id := f.encode()
	f.reassign(id)
	s.checkClean()
	if got := f.results(id); len(got) > 0 {
		t.Errorf("got results %v, want none", got)
	}
	if data, err := os.ReadFile(old); err != nil || string(data) != "another node's" {
		t.Errorf("output: got %.20q (%v), want it unchanged", data, err)
	}
}

// A stale result publishes nothing.
func TestResult_Stale(t *testing.T) {
	t.Parallel()
	f := newQuickMasters(t, time.Millisecond)
	s := newSite(t, f)
	a := s.agent()
	var id string
	var once sync.Once // a slow agent may lose its lease and claim the job again
	a.onStep = func(_ *attempt, now step) {
		if now == stepDecided {
			once.Do(func() { f.reassign(id) }) // while the agent verifies
		}
	}
	id = f.submit("360p30-h264", short)
	s.run(a)
	f.await(id, "completed by another node", func(j ffrtmp.Job) bool {
		return j.Status == ffrtmp.Completed && j.NodeID != a.NodeID()
	})
	s.checkClean()
	if _, err := os.Stat(filepath.Join(s.root, "out.mp4")); err == nil {
		t.Error("got an output of a stale attempt, want none")
	}
	if got := f.results(id); len(got) > 0 {
		t.Errorf("got results %v, want none", got)
	}
}

// The agent claims only for its free slots.
func TestSlots_Full(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.jobs = 2
	s.start()
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, f.submit(slow, strings.Replace(long, "out.mp4", name+".mp4", 1)))
	}
	f.awaitEncoding(ids[0])
	f.awaitEncoding(ids[1])
	if f.job(ids[2]).Status != ffrtmp.Pending {
		t.Error("got three jobs in two slots, want the third pending")
	}
	f.cancel(ids[0])
	f.awaitEncoding(ids[2])
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.claims {
		if c.Max < 1 || c.Max > 2 {
			t.Errorf("got a claim for %d, want 1 or 2", c.Max)
		}
	}
	if n := len(f.claims); n > 20 {
		t.Errorf("got %d claims for three jobs, want at most 20", n)
	}
}

// A draining agent finishes its jobs and claims none.
func TestDrain_WaitsForJobs(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.drain = testkit.Patience
	s.hold()
	a := s.agent()
	cancel, wait := s.begin(a)
	id := f.submit("360p30-h264", short)
	s.awaitFFmpeg(a, id)
	later := f.submit("360p-h264", `{"duration":1,"output":"later.mp4"}`)
	cancel()
	s.release()
	wait()
	if got := f.job(id).Status; got != ffrtmp.Completed {
		t.Errorf("after the agent's end: got %s, want completed", got)
	}
	if got := f.job(later).Status; got != ffrtmp.Pending {
		t.Errorf("later job: got %s, want pending", got)
	}
}
