package supervisor

import (
	"fmt"
	"io"
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
		t.Fatalf("got %+v, want a success\n%s", e, logText(t, run))
	}
	if e.Progress.Frame != 5 || e.CPU <= 0 || e.MaxRSS <= 0 || e.EndedAt.Before(e.StartedAt) {
		t.Errorf("got %+v, want 5 frames and the usage", e)
	}
	if info, err := os.Stat(p.Work.Path()); err != nil || info.Size() == 0 {
		t.Errorf("work file: got %v (%v), want content", info, err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	must(t, os.WriteFile(plain, nil, 0o644))
	if a, err := os.Stat(plain); err != nil || fileMode(t, p.Work.Path()) != a.Mode() {
		t.Errorf("got mode %v, want %v", fileMode(t, p.Work.Path()), a.Mode())
	}
	if _, err := os.Stat(p.Final.Path()); err == nil {
		t.Error("got the final file before it was published, want none")
	}
	if log := logText(t, run); !strings.Contains(log, "Output #0, mp4, to '"+p.Final.Path()+"'") {
		t.Errorf("got log %s, want the output's name", log)
	}
	s := state(t, run)
	if s.Running || s.Exit == nil || s.LogSize != int64(len(logText(t, run))) {
		t.Errorf("got state %+v, want it ended", s)
	}
	for _, name := range []string{configFile, supervisorFile, ffmpegFile, exitFile} {
		if info, err := os.Stat(a.Dir + "/" + name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v (%v), want mode 0600", name, info, err)
		}
	}
	if _, err := Start(ctx(t), a); err == nil {
		t.Error("second start: got no error, want one")
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
		t.Errorf("got nice %d (%v), want %d", 20-n, err, confine.Niceness)
	}
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped {
		t.Errorf("got %+v, want it stopped", e)
	}
}

// ffmpeg ends by itself when it reads q, however long it takes.
func TestQuit_EndsFFmpeg(t *testing.T) {
	f, err := startFFmpeg(attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToNull))))
	defer f.close()
	defer f.abort()
	must(t, err)
	for _, pipe := range []*os.File{f.progress, f.stderr} {
		go func() { _, _ = io.Copy(io.Discard, pipe) }()
	}
	f.quit()
	select {
	case <-f.ended:
	case <-ctx(t).Done():
		t.Fatal("got no end after q, want one")
	}
	if got := f.state.ExitCode(); got != 0 {
		t.Errorf("got exit status %d, want 0", got)
	}
}

// Cancel must end ffmpeg within two seconds.
func TestStop_Deadlines(t *testing.T) {
	if termAfter >= killAfter || killAfter > 1500*time.Millisecond {
		t.Errorf("got SIGTERM after %v and SIGKILL after %v, want both in 1.5 s", termAfter, killAfter)
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
	if took := time.Since(began); took < killAfter {
		t.Errorf("got the end after %s, want SIGKILL after %s", took, killAfter)
	}
	if e.End != Stopped || e.Code != -1 {
		t.Errorf("got %+v, want it stopped by a signal", e)
	}
	if left := marked(t, a.Dir); len(left) > 0 {
		t.Errorf("got processes %v, want none", left)
	}
	again, err := run.Stop(ctx(t))
	must(t, err)
	if again.End != Stopped || !again.EndedAt.Equal(e.EndedAt) {
		t.Errorf("second stop: got %+v, want %+v", again, e)
	}
}

// Children of ffmpeg end with it.
func TestRun_ChildrenKilled(t *testing.T) {
	a := attempt(t, fakeFFmpeg(t, `(trap '' TERM HUP; sleep 300) &
setsid sleep 300 &
exit 0`), recipe.Plan{})
	e := wait(t, start(t, a))
	if e.End != Succeeded {
		t.Errorf("got %+v, want a success", e)
	}
	eventually(t, "nothing is left", func() bool { return len(marked(t, a.Dir)) == 0 })
}

func TestPause_Resume(t *testing.T) {
	run := start(t, attempt(t, realFFmpeg(t), plan(t, small(7200, ffrtmp.ToNull))))
	eventually(t, "encoding", func() bool { return state(t, run).Progress.Frame > 0 })
	for range 2 { // the second time changes nothing
		must(t, run.Pause(ctx(t)))
		if s := state(t, run); !s.Paused || s.Progress.Phase != phasePaused {
			t.Fatalf("got %+v, want it paused", s)
		}
	}
	pid := ffmpegIdentity(t, run.dir).PID
	eventually(t, "ffmpeg is stopped", func() bool { // a busy machine delivers signals late
		s, err := readStat(pid)
		return err == nil && s.state == 'T'
	})
	must(t, run.Resume(ctx(t)))
	frame := state(t, run).Progress.Frame
	eventually(t, "ffmpeg continues", func() bool { return state(t, run).Progress.Frame > frame })
	must(t, run.Pause(ctx(t)))
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped {
		t.Errorf("got %+v, want it stopped", e)
	}
	must(t, run.Pause(ctx(t))) // of an ended run: nothing
}

// The clocks of a paused run stand still: it is neither hung nor timed out.
func TestPause_Clocks(t *testing.T) {
	r := &run{ffmpeg: &ffmpeg{}}
	r.status.Paused = true
	r.watch = watch{hangAfter: time.Second, limits: ffrtmp.ResourceLimits{TimeoutSec: 1}}
	for range 10 {
		if why := r.checkLimits(time.Second); why != nil {
			t.Fatalf("got %v, want no end", why)
		}
	}
	r.status.Paused = false
	if why := r.checkLimits(time.Second); why == nil {
		t.Error("after the pause: got no end, want the timeout")
	}
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
			if a.Limits = c.limits; c.reason == ffrtmp.Hung {
				a.HangAfter = 5 * time.Second // a busy machine starts the script late
			}
			run := start(t, a)
			e := wait(t, run)
			if e.End != Failed || e.Reason != c.reason || !strings.Contains(e.Error, c.says) {
				t.Errorf("got %+v, want a %s that says %q", e, c.reason, c.says)
			}
			if log := logText(t, run); !strings.Contains(log, "ffrtmp: "+e.Error) {
				t.Errorf("got log %s, want %q in it", log, e.Error)
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
		t.Fatalf("got %+v, want a success", e)
	}
	if says := strings.Contains(logText(t, run), "not enforced"); says != (unavailable != nil) {
		t.Errorf("got log %s, want a note when the cgroup fails: %v", logText(t, run), unavailable)
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
	// The loop starts no programs: their CPU time ends with them.
	a := attempt(t, fakeFFmpeg(t, `(sleep 8; : >"$0.done") & while [ ! -e "$0.done" ]; do :; done`), recipe.Plan{})
	a.HangAfter = 5 * time.Second
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
				t.Errorf("got %+v, want a %s that says %q", e, c.reason, c.says)
			}
		})
	}
}

func TestRun_InputVanished(t *testing.T) {
	source := plan(t, small(0.2, ffrtmp.ToFile))
	if e := wait(t, start(t, attempt(t, realFFmpeg(t), source))); e.End != Succeeded {
		t.Fatalf("got %+v, want a success", e)
	}
	p := plan(t, small(0.2, ffrtmp.ToNull))
	p.Input = source.Work
	must(t, media.Remove(*source.Work))
	if e := wait(t, start(t, attempt(t, realFFmpeg(t), p))); e.End != Failed || e.Reason != ffrtmp.InputError {
		t.Errorf("got %+v, want an input error", e)
	}
}

// Errors while decoding are a warning; a strict job fails.
func TestRun_DamagedInput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "damaged.ts")
	out, err := exec.Command(realFFmpeg(t), "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=128x96:rate=25",
		"-t", "2", "-c:v", "libx264", "-pix_fmt", "yuv420p", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	film, err := os.ReadFile(path)
	must(t, err)
	for i := len(film) / 5; i < 3*len(film)/5; i += 397 {
		film[i] ^= 0x55
	}
	must(t, os.WriteFile(path, film, 0o600))
	roots, err := media.OpenRoots([]string{dir})
	must(t, err)
	e := small(0, ffrtmp.ToNull)
	e.Input, e.AudioEncoder = "damaged.ts", ""
	p, err := recipe.Build(e, recipe.Run{}, roots, recipe.Machine{}, nil)
	must(t, err)
	config := attempt(t, realFFmpeg(t), p)
	exit := wait(t, start(t, config))
	if exit.End != Succeeded || len(exit.Warnings) != 1 ||
		!strings.Contains(exit.Warnings[0], "errors while decoding") || strings.Contains(exit.Warnings[0], "/fd/") {
		t.Errorf("got %+v, want a success with one warning", exit)
	}
	config = attempt(t, realFFmpeg(t), p)
	config.Strict = true
	exit = wait(t, start(t, config))
	if exit.End != Failed || exit.Reason != ffrtmp.UserError || !strings.Contains(exit.Error, "the input is damaged") {
		t.Errorf("strict: got %+v, want a user error", exit)
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
			t.Errorf("%s: got the key, want it redacted: %s", what, text)
		}
	}
	for _, want := range []string{"rtmp_playpath=" + ffrtmp.Redacted, "rtmp_app=live", "-f flv rtmp://127.0.0.1:"} {
		if !strings.Contains(log, want) {
			t.Errorf("got log %.2000s, want %q in it", log, want)
		}
	}
	if strings.Contains(log, "MASTER_API_KEY") {
		t.Error("got the API key in ffmpeg's environment, want it removed")
	}
}

// A stream arrives at its server.
func TestStream_Arrives(t *testing.T) {
	port := freePort(t)
	server := exec.Command(realFFmpeg(t), "-hide_banner", "-loglevel", "info", "-listen", "1", "-timeout", "240",
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
		t.Errorf("server: got %s, want H.264 and AAC", got)
	}
	if end := wait(t, run); strings.Contains(logText(t, run), "the-key") {
		t.Errorf("got %+v and the key in the log, want it redacted: %s", end, logText(t, run))
	}
}

func TestStream_NoServer(t *testing.T) {
	e := small(1, ffrtmp.ToRTMP)
	e.URL = fmt.Sprintf("rtmp://127.0.0.1:%d/live/the-key", freePort(t))
	end := wait(t, start(t, attempt(t, realFFmpeg(t), plan(t, e))))
	if end.End != Failed || end.Reason != ffrtmp.NetworkError || !strings.Contains(end.Error, "connection refused") {
		t.Errorf("got %+v, want a network error", end)
	}
}
