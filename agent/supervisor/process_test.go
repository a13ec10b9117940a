package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// freePort returns a port that is the test's own until its end.
func freePort(t *testing.T) int {
	t.Helper()
	port, release, err := devcluster.ReservePort()
	must(t, err)
	t.Cleanup(release)
	return port
}

// listening reads the kernel's table: the server would take a connection for the stream.
func listening(t *testing.T, port int) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	must(t, err)
	return strings.Contains(string(table), fmt.Sprintf(":%04X 00000000:0000 0A", port))
}

// A new agent finds the run of one that was killed.
func TestFind_AgentKilled(t *testing.T) {
	a := attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToNull)))
	must(t, save(a.Dir, configFile, a))
	agent := exec.Command("/proc/self/exe", "agent", a.Dir)
	agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := agent.StdoutPipe()
	must(t, err)
	must(t, agent.Start())
	answer, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	if answer != "<nil>\n" {
		t.Fatalf("start: got %s, want no error", answer)
	}
	ffmpeg := ffmpegIdentity(t, a.Dir)
	must(t, syscall.Kill(-agent.Process.Pid, syscall.SIGKILL)) // the whole group, as a terminal or a shell does
	_, _ = io.Copy(io.Discard, out)
	_ = agent.Wait() // returns that it was killed

	run, err := Find(a.Dir)
	must(t, err)
	frame := state(t, run).Progress.Frame
	eventually(t, "ffmpeg continues", func() bool { return state(t, run).Progress.Frame > frame })
	if got := ffmpegIdentity(t, a.Dir); got != ffmpeg {
		t.Fatalf("got ffmpeg %v, want %v", got, ffmpeg)
	}
	started, err := run.Config()
	must(t, err)
	if len(started.Plan.Args) == 0 || started.Dir != a.Dir {
		t.Errorf("got config %+v, want the stored one", started)
	}
	must(t, run.Pause(ctx(t)))
	must(t, run.Resume(ctx(t)))
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped {
		t.Errorf("got %+v, want it stopped", e)
	}
}

// After a canceled start nothing may write into the directory.
func TestStart_Canceled(t *testing.T) {
	a := attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToFile)))
	canceled, cancel := context.WithCancel(ctx(t))
	cancel()
	if _, err := Start(canceled, a); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want %v", err, context.Canceled)
	}
	if list := supervisors(t, a.Dir); len(list) > 0 {
		t.Errorf("got supervisors %v, want none", list)
	}
	switch p, err := Find(a.Dir); {
	case err == nil && state(t, p).Running:
		t.Error("got a running ffmpeg, want none")
	case err != nil && !errors.Is(err, ErrNotStarted):
		t.Errorf("got %v, want %v", err, ErrNotStarted)
	}
}

func supervisors(t *testing.T, dir string) (pids []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil &&
			strings.Contains(string(data), "\x00supervise\x00"+dir+"\x00") {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func TestFind_Ended(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `echo hello >&2; exit 3`), recipe.Plan{})
	wait(t, start(t, a))
	run, err := Find(a.Dir)
	must(t, err)
	if s := state(t, run); s.Running || s.Exit == nil || s.Exit.Code != 3 {
		t.Errorf("got %+v, want an end with status 3", s)
	}
}

func TestFind_NotStarted(t *testing.T) {
	if _, err := Find(t.TempDir()); !errors.Is(err, ErrNotStarted) {
		t.Errorf("got %v, want %v", err, ErrNotStarted)
	}
}

// A killed supervisor takes ffmpeg and its children with it.
func TestSupervisor_Killed(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `(trap '' TERM; sleep 300) &
while :; do sleep 300; done`), recipe.Plan{})
	run := start(t, a)
	eventually(t, "the child", func() bool { return len(marked(t, a.Dir)) >= 3 })
	must(t, run.supervisor.kill())
	// The kernel kills ffmpeg; nothing has read the directory yet.
	ffmpeg := ffmpegIdentity(t, a.Dir)
	eventually(t, "ffmpeg dies with its supervisor", func() bool {
		alive, err := ffmpeg.alive()
		return !alive && err == nil
	})
	e := wait(t, run)
	if e.End != Lost || e.Reason != ffrtmp.PlatformError || e.Error == "" {
		t.Errorf("got %+v, want lost with a platform error", e)
	}
	eventually(t, "nothing is left", func() bool { return len(marked(t, a.Dir)) == 0 })
	found, err := Find(a.Dir)
	must(t, err)
	if s := state(t, found); s.Exit == nil || s.Exit.End != Lost {
		t.Errorf("got %+v, want it lost", s)
	}
}

// State writes nothing: the owner may be removing the directory.
func TestState_ReadOnly(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `while :; do sleep 300; done`), recipe.Plan{})
	run := start(t, a)
	must(t, run.supervisor.kill())
	wait(t, run)
	must(t, os.Remove(filepath.Join(a.Dir, exitFile)))
	before, err := os.ReadDir(a.Dir)
	must(t, err)
	state(t, run)
	must(t, run.Pause(ctx(t)))
	must(t, run.Resume(ctx(t)))
	after, err := os.ReadDir(a.Dir)
	must(t, err)
	if len(after) != len(before) {
		t.Errorf("got files %v, want %v", after, before)
	}
}

// Stop ends a run whose supervisor is frozen.
func TestStop_FrozenSupervisor(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `while :; do sleep 300; done`), recipe.Plan{})
	run := start(t, a)
	must(t, syscall.Kill(run.supervisor.PID, syscall.SIGSTOP))
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped {
		t.Errorf("got %+v, want it stopped", e)
	}
	eventually(t, "nothing is left", func() bool { return len(marked(t, a.Dir)) == 0 })
}

// A reused pid is neither trusted nor killed.
func TestIdentity_ReusedPID(t *testing.T) {
	bystander := exec.Command("sleep", "300")
	must(t, bystander.Start())
	t.Cleanup(func() { _ = bystander.Process.Kill(); _ = bystander.Wait() })
	now, err := identify(bystander.Process.Pid)
	must(t, err)
	for name, change := range map[string]func(*identity){
		"another start":   func(id *identity) { id.Start-- },
		"another boot":    func(id *identity) { id.BootID = "00000000-0000-0000-0000-000000000000" },
		"no such process": func(id *identity) { id.PID = 1 << 22 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			before := now
			change(&before)
			must(t, save(dir, supervisorFile, before))
			must(t, save(dir, ffmpegFile, before))
			run, err := Find(dir)
			must(t, err)
			if s := state(t, run); s.Running || s.Exit == nil || s.Exit.End != Lost {
				t.Errorf("got %+v, want it lost", s)
			}
			if _, err := run.Stop(ctx(t)); err != nil {
				t.Error(err)
			}
			if alive, err := now.alive(); !alive || err != nil {
				t.Errorf("bystander: got alive %t (%v), want it alive", alive, err)
			}
		})
	}
}

// Many agents may wait for one run.
func TestWait_Many(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `read q; exit 0`), recipe.Plan{})
	run := start(t, a)
	ends := make(chan Exit)
	for range 5 {
		go func() {
			e, err := run.Wait(context.Background())
			if err != nil {
				e.Error = err.Error()
			}
			ends <- e
		}()
	}
	givenUp, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := run.Wait(givenUp); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	_, err := run.Stop(ctx(t))
	must(t, err)
	for range 5 {
		if e := <-ends; e.End != Stopped {
			t.Errorf("got %+v, want it stopped", e)
		}
	}
}

func TestInput_HTTP(t *testing.T) {
	made := plan(t, small(0.5, ffrtmp.ToFile))
	if e := wait(t, start(t, attempt(t, realFFmpeg(t), made))); e.End != Succeeded {
		t.Fatalf("got %+v, want a success", e)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(made.Work.Path()))))
	defer server.Close()
	name := filepath.Base(made.Work.Name)
	for label, c := range map[string]struct {
		path   string
		end    End
		reason ffrtmp.FailureReason
	}{
		"there":   {name, Succeeded, ""},
		"missing": {"none.mp4", Failed, ffrtmp.UserError},
	} {
		t.Run(label, func(t *testing.T) {
			e := small(0, ffrtmp.ToFile)
			e.Input = server.URL + "/" + c.path + "?token=hunter2"
			a := attempt(t, realFFmpeg(t), plan(t, e))
			run := start(t, a)
			end := wait(t, run)
			if end.End != c.end || end.Reason != c.reason {
				t.Errorf("got %+v, want %s %s\n%s", end, c.end, c.reason, logText(t, run))
			}
			if c.end == Succeeded && (end.Source.Seconds < 0.4 || !end.Source.Audio) {
				t.Errorf("got source %+v, want half a second with audio", end.Source)
			}
			if strings.Contains(logText(t, run), "hunter2") {
				t.Error("got the token in the log, want it redacted")
			}
		})
	}
	e := small(0, ffrtmp.ToFile)
	e.Input = "http://169.254.169.254/latest/meta-data"
	if end := wait(t, start(t, attempt(t, realFFmpeg(t), plan(t, e)))); end.Reason != ffrtmp.UserError {
		t.Errorf("metadata service: got %+v, want a user error", end)
	}
}

// ffmpeg itself is the server that the job reads from.
func TestInput_RTMP(t *testing.T) {
	port := freePort(t)
	url := fmt.Sprintf("rtmp://127.0.0.1:%d/live/the-key", port)
	server := exec.Command(realFFmpeg(t), "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10",
		"-t", "30",
		"-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-listen", "1", "-timeout", "240", "-f", "flv", url)
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	eventually(t, "the server listens", func() bool { return listening(t, port) })
	e := small(0.5, ffrtmp.ToFile)
	e.Input = url
	run := start(t, attempt(t, realFFmpeg(t), plan(t, e)))
	if end := wait(t, run); end.End != Succeeded || end.Progress.Frame < 5 {
		t.Errorf("got %+v, want a success with 5 frames\n%s", end, logText(t, run))
	}
	if strings.Contains(logText(t, run), "the-key") {
		t.Error("got the key in the log, want it redacted")
	}
}

// A control socket works however deep its directory is.
func TestSocket_DeepDirectory(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `read q; exit 0`), recipe.Plan{})
	a.Dir = filepath.Join(a.Dir, strings.Repeat("deep/", 40))
	must(t, os.MkdirAll(a.Dir, 0o700))
	run := start(t, a)
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped {
		t.Errorf("got %+v, want it stopped", e)
	}
}
