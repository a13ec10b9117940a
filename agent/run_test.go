package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const (
	short = `{"output":"out.mp4","duration":1,"preset":"ultrafast"}`
	// slow is a scenario that is encoded in real time, and so costs next to nothing.
	slow = "360p10-h264"
	long = `{"output":"out.mp4","duration":3600,"preset":"ultrafast"}`
)

func encoding(j ffrtmp.Job) bool {
	return j.ProgressDetail != nil && j.ProgressDetail.Frame > 0
}

// An agent without a working encoder logs a warning.
func TestProbe_NoEncoder(t *testing.T) {
	t.Parallel()
	s := newSite(t, newMasters(t))
	s.ffmpeg = "/bin/echo"
	var log bytes.Buffer
	s.log = hclog.New(&hclog.LoggerOptions{Output: &log})
	a, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.probeMachine(t.Context()); err != nil || !strings.Contains(log.String(), "[WARN]  no encoder works") {
		t.Errorf("%v: %s", err, log.String())
	}
}

// An idle agent claims a job at once and completes it.
func TestRun_Completed(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	a, _ := s.start()
	testkit.Eventually(t, "a claim", f.holds(func() bool { return len(f.claims) > 0 }))
	submitted := time.Now()
	id := f.submit("360p30-h264", short)
	f.await(id, "claimed", func(j ffrtmp.Job) bool { return j.Status != ffrtmp.Pending })
	if d := time.Since(submitted); d > a.cfg.PollInterval/2 {
		t.Errorf("claimed after %v on an idle agent, as by polling", d)
	}
	j := f.awaitStatus(id, ffrtmp.Completed)
	s.checkOutput(j, "out.mp4")
	s.checkClean()
	if got := f.results(id); !slices.Equal(got, []string{"publishing 1", "completed 1"}) {
		t.Error(got)
	}
	if log := f.log(id); !strings.Contains(log, "Output #0") {
		t.Errorf("the log is %q", log)
	}
	node, err := f.client.Node(t.Context(), a.NodeID())
	f.must(err)
	f.mu.Lock()
	metrics := f.accepted[1].Metrics
	f.mu.Unlock()
	if !slices.Contains(node.Encoders, "libx264") || node.CPUThreads < 1 || node.RAMTotalBytes == 0 ||
		node.MaxConcurrentJobs != 1 || node.Name != "node" {
		t.Errorf("registered as %+v", node)
	}
	if !strings.Contains(string(metrics), `"frames":30`) {
		t.Errorf("metrics %s", metrics)
	}
}

// A failed job has a reason and no output.
func TestRun_Failed(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	if err := os.WriteFile(filepath.Join(s.root, "broken.mp4"), []byte("not a film"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, tt := range []struct {
		name, parameters string
		reason           ffrtmp.FailureReason
	}{
		{"missing input", `{"input":"none.mp4","output":"out.mp4"}`, ffrtmp.InputError},
		{"outside of the roots", `{"input":"../x.mp4","output":"out.mp4"}`, ffrtmp.UserError},
		{"broken input", `{"input":"broken.mp4","output":"out.mp4"}`, ffrtmp.InputError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := f.submit("360p-h264", tt.parameters)
			j := f.awaitStatus(id, ffrtmp.Failed)
			if j.FailureReason != tt.reason || j.Error == "" {
				t.Errorf("%s: %s", j.FailureReason, j.Error)
			}
			s.checkClean()
			if _, err := os.Stat(filepath.Join(s.root, "out.mp4")); err == nil {
				t.Error("a failed job has an output")
			}
		})
	}
}

// A job never overwrites its input, however the output is spelled.
func TestOutput_IsInput(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
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
				t.Errorf("%s: %s", j.FailureReason, j.Error)
			}
			if data, err := os.ReadFile(at("film.mp4")); err != nil || !bytes.Equal(data, film) {
				t.Errorf("the input was touched: %d bytes, %v", len(data), err)
			}
			s.checkClean()
		})
	}
}

// The output may turn into the input while ffmpeg runs.
func TestOutput_BecomesInput(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	film := s.film("film.mp4")
	a, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
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
		t.Errorf("%s: %s", j.FailureReason, j.Error)
	}
	if data, err := os.ReadFile(filepath.Join(s.root, "film.mp4")); err != nil || !bytes.Equal(data, film) {
		t.Errorf("the input was touched: %d bytes, %v", len(data), err)
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
	f := newMasters(t)
	s := newSite(t, f)
	s.start()
	id := f.submit(slow, `{"output":"sub/out.mp4","duration":5,"preset":"ultrafast"}`)
	f.await(id, "under way", encoding)
	elsewhere := filepath.Join(t.TempDir(), "sub")
	if err := errors.Join(os.Rename(filepath.Join(s.root, "sub"), elsewhere),
		os.Symlink(elsewhere, filepath.Join(s.root, "sub"))); err != nil {
		t.Fatal(err)
	}
	f.awaitStatus(id, ffrtmp.Failed)
	f.awaitStatus(f.submit("360p30-h264", short), ffrtmp.Completed)
	s.checkClean()
}

// A cancel ends ffmpeg within two seconds.
func TestCancel_TwoSeconds(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.start()
	id := f.submit(slow, long)
	f.await(id, "under way", encoding)
	var ffmpeg struct {
		PID int `json:"pid"`
	}
	if err := readJSON(filepath.Join(s.state, "attempts", attemptID{id, 1}.String(), "ffmpeg.json"),
		&ffmpeg); err != nil || ffmpeg.PID == 0 {
		t.Fatalf("ffmpeg's pid: %v", err)
	}
	began := time.Now()
	f.cancel(id)
	testkit.Eventually(t, "ffmpeg's process group ends", func() bool {
		return errors.Is(syscall.Kill(-ffmpeg.PID, 0), syscall.ESRCH)
	})
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("took %v", d)
	}
	s.checkClean()
	next := f.submit("360p-h264", short)
	f.awaitStatus(next, ffrtmp.Completed)
}

// find returns the supervised run of an attempt.
func (s *site) find(id string, attempt int) *supervisor.Process {
	s.t.Helper()
	p, err := supervisor.Find(filepath.Join(s.state, "attempts", attemptID{id, attempt}.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// A pause stops ffmpeg until it is resumed.
func TestPause_Resume(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.start()
	id := f.submit(slow, `{"output":"out.mp4","duration":3,"preset":"ultrafast"}`)
	f.await(id, "under way", encoding)
	p := s.find(id, 1)
	f.must(f.client.Pause(t.Context(), id))
	testkit.Eventually(t, "ffmpeg is paused", func() bool { st, err := p.State(); return err == nil && st.Paused })
	testkit.Eventually(t, "a heartbeat says paused", f.holds(func() bool {
		return len(f.beats[len(f.beats)-1].Attempts) == 1 && f.beats[len(f.beats)-1].Attempts[0].Paused
	}))
	f.must(f.client.Resume(t.Context(), id))
	f.awaitStatus(id, ffrtmp.Completed)
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
	id := f.submit(slow, long)
	f.await(id, "under way", encoding)
	f.reassign(id)
	s.checkClean()
	if got := f.results(id); len(got) > 0 {
		t.Errorf("results %v", got)
	}
	if data, err := os.ReadFile(old); err != nil || string(data) != "another node's" {
		t.Errorf("the output is now %.20q, %v", data, err)
	}
}

// A stale result publishes nothing.
func TestResult_Stale(t *testing.T) {
	t.Parallel()
	f := newQuickMasters(t, time.Millisecond)
	s := newSite(t, f)
	a, err := New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	var id string
	a.onStep = func(at *attempt, now step) {
		if now == stepDecided && at.attempt == 1 {
			f.reassign(id) // while the agent verifies
		}
	}
	id = f.submit("360p30-h264", short)
	s.run(a)
	f.await(id, "completed by another node", func(j ffrtmp.Job) bool {
		return j.Attempt == 2 && j.Status == ffrtmp.Completed
	})
	s.checkClean()
	if _, err := os.Stat(filepath.Join(s.root, "out.mp4")); err == nil {
		t.Error("a stale attempt has published its output")
	}
	if got := f.results(id); len(got) > 0 {
		t.Errorf("results %v", got)
	}
}

// The agent claims only for its free slots.
func TestSlots_Full(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.jobs = 2
	s.start()
	var ids []string
	for _, name := range []string{"a", "b", "c"} {
		ids = append(ids, f.submit(slow, strings.Replace(long, "out.mp4", name+".mp4", 1)))
	}
	f.await(ids[0], "under way", encoding)
	f.await(ids[1], "under way", encoding)
	if f.job(ids[2]).Status != ffrtmp.Pending {
		t.Error("three jobs run in two slots")
	}
	f.cancel(ids[0])
	f.await(ids[2], "under way", encoding)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.claims {
		if c.Max < 1 || c.Max > 2 {
			t.Errorf("claimed %d", c.Max)
		}
	}
	if n := len(f.claims); n > 20 {
		t.Errorf("%d claims for three jobs", n)
	}
}

// A draining agent finishes its jobs and claims none.
func TestDrain_WaitsForJobs(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	s := newSite(t, f)
	s.drain = 30 * time.Second
	_, stop := s.start()
	id := f.submit(slow, `{"output":"out.mp4","duration":3,"preset":"ultrafast"}`)
	f.await(id, "under way", encoding)
	later := f.submit("360p-h264", short)
	stop()
	if got := f.job(id).Status; got != ffrtmp.Completed {
		t.Errorf("the agent ended and its job is %s", got)
	}
	if got := f.job(later).Status; got != ffrtmp.Pending {
		t.Errorf("a draining agent took a job, which is %s", got)
	}
}
