package supervisor

import (
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Time in which the supervisor was frozen does not count.
func TestWatch_FrozenTime(t *testing.T) {
	w := watch{hangAfter: 60 * time.Second, limits: ffrtmp.ResourceLimits{TimeoutSec: 60}}
	if why := w.step(observation{elapsed: time.Hour, outTime: 1}); why != nil {
		t.Errorf("after an hour under SIGSTOP: got %v, want no failure", why)
	}
}

// A file job is hung when nothing at all advances, a stream when its output time stands still.
func TestWatch_Progress(t *testing.T) {
	start := time.Unix(1, 0)
	for name, c := range map[string]struct {
		live    bool
		observe func(second int) observation
		hung    bool
	}{
		"nothing":       {false, func(int) observation { return observation{} }, true},
		"output time":   {false, func(s int) observation { return observation{outTime: float64(s)} }, false},
		"frames":        {false, func(s int) observation { return observation{frames: int64(s)} }, false},
		"bytes written": {false, func(s int) observation { return observation{size: int64(s)} }, false},
		"bytes rewritten": {false, func(s int) observation {
			return observation{written: start.Add(time.Duration(s))}
		}, false},
		"input position":          {false, func(s int) observation { return observation{read: int64(s)} }, false},
		"processor, no frame yet": {false, func(s int) observation { return observation{cpu: seconds(s)} }, false},
		"processor, after a frame": {false, func(s int) observation {
			return observation{cpu: seconds(s), frames: 1}
		}, true},
		"hardly any processor": {false, func(s int) observation {
			return observation{cpu: seconds(s) / 1000}
		}, true},
		"stream, output time": {true, func(s int) observation { return observation{outTime: float64(s)} }, false},
		"stream, everything else": {true, func(s int) observation {
			return observation{frames: int64(s), read: int64(s), cpu: seconds(s)}
		}, true},
		"output time going back": {false, func(s int) observation {
			return observation{outTime: float64(-s)}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch{hangAfter: 10 * time.Second, live: c.live}
			var why error
			for s := range 40 {
				o := c.observe(s)
				o.elapsed = time.Second
				if f := w.step(o); f != nil {
					why = f
					if f.Reason != ffrtmp.Hung || s < 9 {
						t.Fatalf("got %s after %d s: %v", f.Reason, s, f)
					}
					break
				}
			}
			if (why != nil) != c.hung {
				t.Errorf("got %v, want hung %t", why, c.hung)
			}
		})
	}
}

func seconds(s int) time.Duration { return time.Duration(s) * time.Second }
