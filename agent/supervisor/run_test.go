package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/confine"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

func TestRun_Succeeds(t *testing.T) {
	p := plan(t, small(0.5, ffrtmp.ToFile))
	a := attempt(t, realFFmpeg(t), p)
	run := start(t, a)
	e := wait(t, run)
	if e.End != Succeeded || e.Code != 0 || e.Reason != "" {
		t.Fatalf("%+v\n%s", e, logText(t, run))
	}
	if e.Progress.Frame != 5 || e.CPU <= 0 || e.MaxRSS <= 0 || e.EndedAt.Before(e.StartedAt) {
		t.Errorf("%+v", e)
	}
	if info, err := os.Stat(p.Work.Path()); err != nil || info.Size() == 0 {
		t.Errorf("work file: %v, %v", info, err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	must(t, os.WriteFile(plain, nil, 0o644))
	if a, err := os.Stat(plain); err != nil || fileMode(t, p.Work.Path()) != a.Mode() {
		t.Errorf("the output is %v, other files are %v", fileMode(t, p.Work.Path()), a.Mode())
	}
	if _, err := os.Stat(p.Final.Path()); err == nil {
		t.Error("the final file is there before it was published")
	}
	if log := logText(t, run); !strings.Contains(log, "Output #0, mp4, to '"+p.Final.Path()+"'") {
		t.Errorf("log: %s", log)
	}
	s := state(t, run)
	if s.Running || s.Exit == nil || s.LogSize != int64(len(logText(t, run))) {
		t.Errorf("state %+v", s)
	}
	for _, name := range []string{configFile, supervisorFile, ffmpegFile, exitFile} {
		if info, err := os.Stat(a.Dir + "/" + name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := Start(ctx(t), a); err == nil {
		t.Error("one directory was started twice")
	}
}

// ffmpeg runs nice and reports progress.
func TestRun_NiceAndProgress(t *testing.T) {
	a := attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToNull)))
	run := start(t, a)
	eventually(t, "progress", func() bool {
		s := state(t, run)
		return s.Progress.Phase == phaseEncoding && s.Progress.OutTimeSeconds > 0 && s.Progress.Speed > 0 &&
			s.Progress.ETASeconds > 0
	})
	// Getpriority returns 20 minus the nice value.
	if n, err := unix.Getpriority(unix.PRIO_PROCESS, ffmpegIdentity(t, a.Dir).PID); err != nil ||
		20-n != confine.Niceness {
		t.Errorf("nice %d, %v", 20-n, err)
	}
	began := time.Now()
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped || e.Code != 0 || time.Since(began) > termAfter {
		t.Errorf("q did not end it: %+v after %s", e, time.Since(began))
	}
}

// Stop ends an ffmpeg that ignores q and SIGTERM.
func TestStop_IgnoresSignals(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `trap '' TERM INT
(trap '' TERM; sleep 300) &
echo "frame=1" >&3
while :; do sleep 300; done`), recipe.Plan{})
	run := start(t, a)
	eventually(t, "two processes and a sleep", func() bool { return len(marked(t, a.Dir)) >= 3 })
	began := time.Now()
	e, err := run.Stop(ctx(t))
	must(t, err)
	if took := time.Since(began); took < killAfter || took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if e.End != Stopped || e.Code != -1 {
		t.Errorf("%+v", e)
	}
	if left := marked(t, a.Dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	again, err := run.Stop(ctx(t))
	must(t, err)
	if again.End != Stopped || !again.EndedAt.Equal(e.EndedAt) {
		t.Errorf("a second stop changed the end: %+v", again)
	}
}

// Children of ffmpeg end with it.
func TestRun_ChildrenKilled(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `(trap '' TERM HUP; sleep 300) &
setsid sleep 300 &
exit 0`), recipe.Plan{})
	e := wait(t, start(t, a))
	if e.End != Succeeded {
		t.Errorf("%+v", e)
	}
	eventually(t, "nothing is left", func() bool { return len(marked(t, a.Dir)) == 0 })
}

func TestPause_Resume(t *testing.T) {
	a := attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToNull)))
	a.HangAfter = 3 * time.Second // on a busy machine ffmpeg takes its time to begin
	run := start(t, a)
	eventually(t, "encoding", func() bool { return state(t, run).Progress.Frame > 0 })
	for range 2 { // the second time changes nothing
		must(t, run.Pause(ctx(t)))
		if s := state(t, run); !s.Paused || s.Progress.Phase != phasePaused {
			t.Fatalf("%+v", s)
		}
	}
	pid := ffmpegIdentity(t, a.Dir).PID
	eventually(t, "ffmpeg is stopped", func() bool { // a signal takes effect when a busy machine lets it
		s, err := readStat(pid)
		return err == nil && s.state == 'T'
	})
	// Longer than HangAfter: the clocks stand.
	short, cancel := context.WithTimeout(context.Background(), 3500*time.Millisecond)
	defer cancel()
	if e, err := run.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%+v, %v", e, err)
	}
	must(t, run.Resume(ctx(t)))
	frame := state(t, run).Progress.Frame
	eventually(t, "going on", func() bool { return state(t, run).Progress.Frame > frame })
	must(t, run.Pause(ctx(t)))
	began := time.Now()
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped || time.Since(began) > 2*time.Second {
		t.Errorf("a paused run: %+v after %s", e, time.Since(began))
	}
	must(t, run.Pause(ctx(t))) // of an ended run: nothing
}

func TestRun_Limits(t *testing.T) {
	frames := `while :; do i=$((i+1)); echo "out_time_us=${i}00000" >&3; sleep 0.05; done`
	for name, c := range map[string]struct {
		script string
		mode   ffrtmp.OutputMode
		limits ffrtmp.ResourceLimits
		reason ffrtmp.FailureReason
		says   string
	}{
		"hung": {
			`echo "frame=3" >&3; echo "out_time_us=100000" >&3; while :; do echo "frame=3" >&3; sleep 0.1; done`,
			ffrtmp.ToNull,
			ffrtmp.ResourceLimits{},
			ffrtmp.Hung, "at 0.1 s of output",
		},
		"hung from the start": {
			`exec sleep 600`, ffrtmp.ToNull,
			ffrtmp.ResourceLimits{},
			ffrtmp.Hung,
			"at 0.0 s of output",
		},
		"timeout": {
			frames, ffrtmp.ToNull,
			ffrtmp.ResourceLimits{TimeoutSec: 1},
			ffrtmp.Timeout,
			"timeout_sec = 1",
		},
		"disk": {
			`head -c 2000000 /dev/zero >/proc/self/fd/5; ` + frames, ffrtmp.ToFile,
			ffrtmp.ResourceLimits{MaxDiskMB: 1},
			ffrtmp.UserError, "max_disk_mb = 1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := attempt(t, fakeFFmpeg(t, c.script), plan(t, small(1, c.mode)))
			a.HangAfter, a.Limits = 1500*time.Millisecond, c.limits
			run := start(t, a)
			e := wait(t, run)
			if e.End != Failed || e.Reason != c.reason || !strings.Contains(e.Error, c.says) {
				t.Errorf("%+v", e)
			}
			if log := logText(t, run); !strings.Contains(log, "ffrtmp: "+e.Error) {
				t.Errorf("the log does not say so: %s", log)
			}
		})
	}
}

// The log says when limits are not enforced.
func TestRun_LimitsNotEnforced(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `exit 0`), recipe.Plan{})
	a.Limits = ffrtmp.ResourceLimits{MaxMemoryMB: 512}
	_, unavailable := newCgroup("probe", a.Limits)
	run := start(t, a)
	if e := wait(t, run); e.End != Succeeded {
		t.Fatalf("%+v", e)
	}
	if says := strings.Contains(logText(t, run), "not enforced"); says != (unavailable != nil) {
		t.Errorf("cgroup: %v, log: %s", unavailable, logText(t, run))
	}
}

// Position finds where a process reads a file.
func TestPosition_OfInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	must(t, os.WriteFile(path, make([]byte, 100), 0o600))
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	_, err = f.Read(make([]byte, 42))
	must(t, err)
	info, err := f.Stat()
	must(t, err)
	if got := position("/proc/self", info); got != 42 {
		t.Errorf("got position %d, want 42", got)
	}
}

// An encoder may think for long before its first frame.
func TestRun_LongLookahead(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `end=$(($(date +%s) + 6)); while [ $(date +%s) -lt $end ]; do :; done`),
		recipe.Plan{})
	a.HangAfter = 3 * time.Second
	if e := wait(t, start(t, a)); e.End != Succeeded {
		t.Errorf("got %+v, want a success", e)
	}
}

func TestRun_Failures(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		reason ffrtmp.FailureReason
		says   string
	}{
		"message": {`echo "[mp4 @ 0x1] Could not find tag for codec"; echo "[x] y: No space left on device" >&2
			echo "Conversion failed!" >&2; exit 1`, ffrtmp.OutputError, "No space left on device"},
		"disk full at the end": {
			`echo "Error writing trailer of x: No space left on device" >&2; exit 0`,
			ffrtmp.OutputError, "No space left on device",
		},
		"status":     {`exit 7`, ffrtmp.RuntimeError, "exit status 7"},
		"signal":     {`kill -SEGV $$`, ffrtmp.RuntimeError, "segmentation fault"},
		"no program": {"", ffrtmp.PlatformError, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			ffmpeg := fakeFFmpeg(t, c.script)
			if c.script == "" {
				ffmpeg += "-missing"
			}
			e := wait(t, start(t, attempt(t, ffmpeg, recipe.Plan{})))
			if e.End != Failed || e.Reason != c.reason || !strings.Contains(e.Error, c.says) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestRun_InputVanished(t *testing.T) {
	source := plan(t, small(0.2, ffrtmp.ToFile))
	if e := wait(t, start(t, attempt(t, realFFmpeg(t), source))); e.End != Succeeded {
		t.Fatalf("%+v", e)
	}
	p := plan(t, small(0.2, ffrtmp.ToNull))
	p.Input = source.Work
	must(t, media.Remove(*source.Work))
	if e := wait(t, start(t, attempt(t, realFFmpeg(t), p))); e.End != Failed || e.Reason != ffrtmp.InputError {
		t.Errorf("%+v", e)
	}
}

// Secrets appear neither in logs nor on command lines.
func TestRun_Secrets(t *testing.T) {
	const key = "s3cr3t-stream-key"
	e := small(30, ffrtmp.ToRTMP)
	e.URL = "rtmp://127.0.0.1:1/live/" + key
	a := attempt(t, fakeFFmpeg(t, `
tr '\0' ' ' </proc/$$/cmdline >&2
tr '\0' ' ' </proc/$$/environ >&2
echo >&2; cat /proc/self/fd/6 >&2
printf '%s `+key+` %16350s`+key+`\n' x x >&2
head -c 40000 /dev/zero | tr '\0' y >&2; echo >&2
echo last >&2; exec sleep 300`), plan(t, e))
	t.Setenv("MASTER_API_KEY", "the-"+key)
	run := start(t, a)
	eventually(t, "the log", func() bool { return strings.Contains(logText(t, run), "\nlast\n") })
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", run.supervisor.PID))
	must(t, err)
	log := logText(t, run)
	for what, text := range map[string]string{"log": log, "supervisor's command line": string(cmdline)} {
		if strings.Contains(text, key) || strings.Contains(text, "s3cr3t") {
			t.Errorf("the key is in the %s: %s", what, text)
		}
	}
	for _, want := range []string{"rtmp_playpath=" + ffrtmp.Redacted, "rtmp_app=live", "-f flv rtmp://127.0.0.1:"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %.2000s", want, log)
		}
	}
	if strings.Contains(log, "MASTER_API_KEY") {
		t.Error("ffmpeg got the API key")
	}
}

// A stream arrives at its server.
func TestStream_Arrives(t *testing.T) {
	port := freePort(t)
	server := exec.Command(realFFmpeg(t), "-hide_banner", "-loglevel", "info", "-listen", "1", "-timeout", "20",
		"-i", fmt.Sprintf("rtmp://127.0.0.1:%d/live/the-key", port), "-t", "0.5", "-f", "null", "-")
	out := &strings.Builder{}
	server.Stderr = out
	must(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill() })
	e := small(1, ffrtmp.ToRTMP)
	e.URL = fmt.Sprintf("rtmp://127.0.0.1:%d/live/the-key", port)
	eventually(t, "the server listens", func() bool { return listening(t, port) })
	run := start(t, attempt(t, realFFmpeg(t), plan(t, e)))
	must(t, server.Wait())
	if got := out.String(); !strings.Contains(got, "Video: h264") || !strings.Contains(got, "Audio: aac") ||
		strings.Contains(got, "Unexpected stream") {
		t.Errorf("server: %s", got)
	}
	if end := wait(t, run); strings.Contains(logText(t, run), "the-key") {
		t.Errorf("the key is in the log: %+v %s", end, logText(t, run))
	}
}

func TestStream_NoServer(t *testing.T) {
	e := small(1, ffrtmp.ToRTMP)
	e.URL = fmt.Sprintf("rtmp://127.0.0.1:%d/live/the-key", freePort(t))
	end := wait(t, start(t, attempt(t, realFFmpeg(t), plan(t, e))))
	if end.End != Failed || end.Reason != ffrtmp.NetworkError || !strings.Contains(end.Error, "connection refused") {
		t.Errorf("%+v", end)
	}
}
