package supervisor

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// twoPass is a short encode in two passes.
func twoPass(t *testing.T) recipe.Plan {
	t.Helper()
	e := small(3, ffrtmp.ToFile)
	e.Bitrate, e.TwoPass = "50k", true
	return plan(t, e)
}

// Two passes are one run, whose figures are those of one encode and never go back.
func TestPasses_Progress(t *testing.T) {
	t.Parallel()
	a := attempt(t, realFFmpeg(t), twoPass(t))
	run := start(t, a)
	var last State
	check := func(s State) {
		if s.Percent < last.Percent && s.Running || s.Progress.Frame < last.Progress.Frame ||
			s.Progress.OutTimeSeconds < last.Progress.OutTimeSeconds {
			t.Errorf("got %+v after %+v, want it not to go back", s, last)
		}
		last = s
	}
	eventually(t, "the run ends", func() bool {
		s := state(t, run)
		check(s)
		return !s.Running
	})
	e := wait(t, run)
	if out := e.Progress.OutTimeSeconds; e.End != Succeeded || e.Progress.Frame != 30 || out < 2.8 || out > 3.1 {
		t.Errorf("got %+v, want 30 frames in 3 s\n%s", e, logText(t, run))
	}
	if !strings.Contains(logText(t, run), "ffrtmp: second pass") {
		t.Errorf("got log %s, want both passes", logText(t, run))
	}
	if logs, err := filepath.Glob(filepath.Join(a.Dir, "pass*.log")); err != nil || len(logs) != 1 {
		t.Errorf("got %v, %v, want the pass log in the attempt's directory", logs, err)
	}
	if info, err := os.Stat(a.Plan.Work.Path()); err != nil || info.Size() == 0 {
		t.Errorf("got %v, want an output", err)
	}
}

// Each pass counts half.
func TestPasses_Halves(t *testing.T) {
	r := run{pass: pass{share: 0.5, frame: 0.5}, config: Config{}}
	want := recipe.Want{Seconds: 10}
	expect := func(line string, frame int64, percent int, eta float64) {
		t.Helper()
		r.take(line)
		r.status.estimate(want)
		p := r.status.Progress
		if p.Frame != frame || r.status.Percent != percent || p.ETASeconds != eta {
			t.Errorf("%s: got frame %d, %d %%, ETA %g, want %d, %d %%, %g", line, p.Frame, r.status.Percent,
				p.ETASeconds, frame, percent, eta)
		}
	}
	expect("frame=60", 30, 0, 0)
	expect("out_time_us=2000000", 30, 10, 0)
	expect("speed=4x", 30, 10, 4.5) // 8 s of this pass at 4, then 10 s, as half as many at half the speed
	expect("frame=251", 125, 10, 4.5)
	expect("out_time_us=10000000", 125, 50, 2.5)
	r.pass.before, r.pass.own = r.status.Progress, ffrtmp.Progress{}
	expect("frame=0", 125, 50, 0)
	expect("frame=1", 125, 50, 0)
	expect("out_time_us=5000000", 125, 75, 0)
	expect("frame=251", 250, 75, 0)
	expect("out_time_us=10000000", 250, 99, 0)
	if r.status.Progress.OutTimeSeconds != 10 || r.pass.frames(r.status.Progress) != 251 {
		t.Errorf("got %+v, want 10 s", r.status.Progress)
	}
}

// A text that is shown for long is no output time.
func TestProgress_LongSubtitle(t *testing.T) {
	for _, c := range []struct{ rate, want float64 }{{0, 60}, {25, 3}} {
		r := run{pass: pass{share: 1, frame: 1}}
		r.config.Plan.Want.FrameRate = c.rate
		for _, line := range []string{"frame=50", "out_time_us=60000000"} {
			r.take(line)
		}
		if got := r.status.Progress.OutTimeSeconds; got != c.want {
			t.Errorf("%g: got %g s, want %g", c.rate, got, c.want)
		}
	}
}

// counting is an ffmpeg that notes each start in a file and then runs a script, in which $first says which pass it is.
func counting(t *testing.T, script string) (ffmpeg, starts string) {
	t.Helper()
	starts = filepath.Join(t.TempDir(), "starts")
	return fakeFFmpeg(t, `echo "$*" >>`+starts+`
case "$*" in *"-pass 1"*) first=1;; *) first=;; esac
`+script), starts
}

func countStarts(t *testing.T, starts string) int {
	t.Helper()
	data, err := os.ReadFile(starts)
	must(t, err)
	return strings.Count(string(data), "\n")
}

// A first pass that fails or is stopped is the end of the run.
func TestPasses_FirstEnds(t *testing.T) {
	t.Parallel()
	t.Run("failed", func(t *testing.T) {
		ffmpeg, starts := counting(t, "echo 'moov atom not found' >&2; exit 1")
		e := wait(t, start(t, attempt(t, ffmpeg, twoPass(t))))
		if e.End != Failed || e.Reason != ffrtmp.UserError || countStarts(t, starts) != 1 {
			t.Errorf("got %+v after %d starts, want a user error after one", e, countStarts(t, starts))
		}
	})
	t.Run("stopped", func(t *testing.T) {
		ffmpeg, starts := counting(t, "echo frame=2 >&3; read q; exit 0")
		run := start(t, attempt(t, ffmpeg, twoPass(t)))
		e, err := run.Stop(ctx(t))
		must(t, err)
		if e.End != Stopped || countStarts(t, starts) > 1 {
			t.Errorf("got %+v after %d starts, want it stopped in the first pass", e, countStarts(t, starts))
		}
	})
	t.Run("nothing after the start", func(t *testing.T) {
		ffmpeg, starts := counting(t, "echo progress=end >&3")
		p := twoPass(t)
		p.Want.Start = 5
		e := wait(t, start(t, attempt(t, ffmpeg, p)))
		if e.End != Succeeded || e.Progress.Frame != 0 || countStarts(t, starts) != 1 {
			t.Errorf("got %+v after %d starts, want no frame after one", e, countStarts(t, starts))
		}
	})
	t.Run("the output exists", func(t *testing.T) {
		ffmpeg, starts := counting(t, "exit 0")
		p := twoPass(t)
		must(t, os.WriteFile(p.Final.Path(), []byte("a user's"), 0o600))
		e := wait(t, start(t, attempt(t, ffmpeg, p)))
		if _, err := os.Stat(starts); e.End != Failed || e.Reason != ffrtmp.UserError || err == nil {
			t.Errorf("got %+v, %v, want a user error before any pass", e, err)
		}
	})
}

// A pause holds in the pass in which it came, and a stop in the second pass ends the run.
func TestPasses_PauseAndStop(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	must(t, syscall.Mkfifo(gate, 0o600))
	ffmpeg, starts := counting(t, `echo frame=10 >&3; [ $first ] && { read x <`+gate+`; exit 0; }; read q; exit 0`)
	run := start(t, attempt(t, ffmpeg, twoPass(t)))
	eventually(t, "the first pass runs", func() bool { return state(t, run).Progress.Frame == 5 })
	must(t, run.Pause(ctx(t)))
	if s := state(t, run); !s.Paused || s.Progress.Phase != phasePaused {
		t.Errorf("got %+v, want it paused", s)
	}
	must(t, run.Resume(ctx(t)))
	must(t, os.WriteFile(gate, []byte("go\n"), 0o600))
	eventually(t, "the second pass runs", func() bool { return state(t, run).Progress.Frame == 10 })
	must(t, run.Pause(ctx(t)))
	e, err := run.Stop(ctx(t))
	must(t, err)
	if e.End != Stopped || countStarts(t, starts) != 2 {
		t.Errorf("got %+v after %d starts, want it stopped in the second pass", e, countStarts(t, starts))
	}
}

// An agent that dies in the first pass leaves a run that goes through both.
func TestPasses_AgentKilled(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	must(t, syscall.Mkfifo(gate, 0o600))
	ffmpeg, starts := counting(t, `echo frame=30 >&3; [ $first ] && read x <`+gate+`; exit 0`)
	a := attempt(t, ffmpeg, twoPass(t))
	a.HangAfter = DefaultHangAfter
	must(t, save(a.Dir, configFile, a))
	agent := exec.Command("/proc/self/exe", "agent", a.Dir)
	agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := agent.StdoutPipe()
	must(t, err)
	must(t, agent.Start())
	answer, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || answer != "<nil>\n" {
		t.Fatalf("start: got %s, %v, want no error", answer, err)
	}
	must(t, syscall.Kill(-agent.Process.Pid, syscall.SIGKILL))
	_, _ = io.Copy(io.Discard, out)
	_ = agent.Wait() // returns that it was killed
	run, err := Find(a.Dir)
	must(t, err)
	must(t, os.WriteFile(gate, []byte("go\n"), 0o600))
	if e := wait(t, run); e.End != Succeeded || e.Progress.Frame != 30 || countStarts(t, starts) != 2 {
		t.Errorf("got %+v after %d starts, want both passes", e, countStarts(t, starts))
	}
}
