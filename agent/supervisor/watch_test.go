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
		t.Errorf("after an hour under SIGSTOP: %v", why)
	}
}

// Moving the index to the front of a file is progress.
func TestWatch_SecondPass(t *testing.T) {
	w := watch{hangAfter: 2 * time.Second}
	written := time.Unix(1, 0)
	for i := range 20 {
		if why := w.step(observation{elapsed: time.Second, outTime: 5, closing: true, written: written.Add(time.Duration(i))}); why != nil {
			t.Fatalf("while the file is rewritten: %v", why)
		}
	}
	w.step(observation{elapsed: time.Second, outTime: 5, closing: true, written: written.Add(19)})
	if why := w.step(observation{elapsed: time.Second, outTime: 5, closing: true, written: written.Add(19)}); why == nil || why.Reason != ffrtmp.Hung {
		t.Errorf("a rewrite that stands still: %v", why)
	}
}
