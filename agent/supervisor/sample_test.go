package supervisor

import (
	"fmt"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// feed reports every half second, at 50 frames and 2 seconds of output a second, of 1 Mbit/s each.
func feed(s *sampler, from, to time.Duration) {
	for at := from; at <= to; at += time.Second / 2 {
		t := at.Seconds()
		s.take(fmt.Sprintf("total_size=%d", int(t*2*125_000)), at, nil)
		s.take("progress=continue", at, &ffrtmp.Progress{Frame: int64(t * 50), OutTimeSeconds: t * 2})
	}
}

// A series has a point for each two seconds, about the time since the one before.
func TestSampler(t *testing.T) {
	var s sampler
	if s.result() != nil {
		t.Error("got a series of nothing, want none")
	}
	feed(&s, time.Second/2, 11*time.Second)
	r := s.result()
	if len(r.Seconds) != 5 || r.Seconds[4] != 10 || r.FPS[4] != 50 || r.Speed[4] != 2 || r.Kilobits[4] != 1000 {
		t.Errorf("got %+v, want 5 points of 50 fps, 2x and 1,000 kbit/s", r)
	}
}

// A day has no more points than an hour, and each of them the same figures.
func TestSampler_Bounded(t *testing.T) {
	var s sampler
	feed(&s, time.Second/2, 24*time.Hour)
	r := s.result()
	n := len(r.Seconds)
	if n < ffrtmp.MaxPoints/2-1 || n > ffrtmp.MaxPoints ||
		len(r.FPS) != n || len(r.Speed) != n || len(r.Kilobits) != n {
		t.Fatalf("got %d points, want 149 to 300", n)
	}
	for i := range n {
		if r.FPS[i] < 49 || r.FPS[i] > 51 || i > 0 && r.Seconds[i] <= r.Seconds[i-1] {
			t.Errorf("point %d: got %v fps at %d s after %d s, want 50 and a later time", i, r.FPS[i], r.Seconds[i],
				r.Seconds[max(i-1, 0)])
		}
	}
}

// A pause is left out; figures that go backwards or are N/A do no harm.
func TestSampler_Pause(t *testing.T) {
	var s sampler
	feed(&s, time.Second/2, 4*time.Second)
	s.resume(time.Hour)
	s.take("total_size=N/A", time.Hour, nil)
	s.take("progress=end", time.Hour+2*time.Second, &ffrtmp.Progress{Frame: 300, OutTimeSeconds: 1})
	r := s.result()
	if last := len(r.Seconds) - 1; last != 2 || r.FPS[last] != 50 || r.Speed[last] != 0 || r.Kilobits[last] != 0 {
		t.Errorf("got %+v, want a third point of 50 fps", r)
	}
}

// The end of a run has its series.
func TestRun_Series(t *testing.T) {
	report := func(at int) string {
		const format = `printf 'frame=%d\nout_time_us=%d000000\ntotal_size=%d000\nprogress=continue\n' >&3`
		return fmt.Sprintf(format, at*25, at, at)
	}
	script := report(1) + "\nsleep 2.1\n" + report(3) + "\n"
	e := wait(t, start(t, attempt(t, fakeFFmpeg(t, script), plan(t, small(1, ffrtmp.ToNull)))))
	if e.Series == nil || len(e.Series.Seconds) != 1 || e.Series.Seconds[0] < 2 || e.Series.Speed[0] <= 0 {
		t.Errorf("got %+v, want a point after two seconds", e.Series)
	}
}
