package supervisor

import (
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// ffmpeg reports nan and inf for some inputs; JSON cannot hold either.
func TestRun_NotANumber(t *testing.T) {
	ffmpeg := fakeFFmpeg(t, `printf 'frame=3\nfps=nan\nspeed=infx\nout_time_us=1000000\nprogress=continue\n' >&3
		sleep 1`)
	e := wait(t, start(t, attempt(t, ffmpeg, recipe.Plan{Want: recipe.Want{Seconds: 10}})))
	if e.End != Succeeded || e.Progress.Frame != 3 || e.Progress.OutTimeSeconds != 1 {
		t.Errorf("got %+v, want a success after 3 frames", e)
	}
}

// Numbers that are no numbers leave the last value.
func TestStatus_NotANumber(t *testing.T) {
	var s status
	for _, line := range []string{"fps=25.0", "speed=2.0x", "out_time_us=2000000"} {
		s.take(line)
	}
	for _, value := range []string{"nan", "-nan", "inf", "-inf", "+Inf", "NaN", "-1", "1e999", "N/A", ""} {
		for _, name := range []string{"fps", "speed", "out_time_us", "frame"} {
			s.take(name + "=" + value)
		}
		s.take("speed=" + value + "x")
	}
	if p := s.Progress; p.FPS != 25 || p.Speed != 2 || p.OutTimeSeconds != 2 || p.Frame != 0 {
		t.Errorf("got %+v, want 25 fps, speed 2, 2 s", p)
	}
	s.take("speed=1e-320x")
	if s.estimate(recipe.Want{Seconds: 1e6}); s.Progress.ETASeconds != 0 {
		t.Errorf("got ETA %g, want none", s.Progress.ETASeconds)
	}
}

// The percentage is of what is encoded: from the start to the end of the source, or to the job's if that comes first.
func TestStatus_Trimmed(t *testing.T) {
	for _, c := range []struct {
		want   recipe.Want
		header float64
		at     float64
		expect int
	}{
		{recipe.Want{Start: 60, SourceSeconds: 80}, 0, 5, 25},
		{recipe.Want{Start: 60}, 80, 5, 25},
		{recipe.Want{Start: 60, Seconds: 10, SourceSeconds: 80}, 0, 5, 50},
		{recipe.Want{Start: 60, Seconds: 40, SourceSeconds: 80}, 0, 5, 25},
		{recipe.Want{Start: 60, Seconds: 10}, 0, 5, 50},
		{recipe.Want{Start: 60, Seconds: 10, Pattern: true}, 5, 5, 50},
		{recipe.Want{Start: 60}, 0, 5, 0},
		{recipe.Want{Start: 60, SourceSeconds: 50}, 0, 5, 0},
	} {
		s := status{Source: Source{Seconds: c.header}}
		s.Progress.OutTimeSeconds = c.at
		if s.estimate(c.want); s.Percent != c.expect {
			t.Errorf("%+v at %g s: got %d %%, want %d %%", c.want, c.at, s.Percent, c.expect)
		}
	}
}
