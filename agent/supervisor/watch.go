package supervisor

import (
	"fmt"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// tick is how often a run checks its clocks and its output.
const tick = 250 * time.Millisecond

// watch decides when a run has exceeded its time or disk limit, or hangs. Its clocks
// count ticks of at most maxTick: time in which the supervisor was frozen or the
// machine asleep does not count.
type watch struct {
	limits    ffrtmp.ResourceLimits
	hangAfter time.Duration
	ran       time.Duration
	still     time.Duration
	outTime   float64
	written   time.Time
}

const maxTick = 4 * tick

// observation is the state of a run at a tick.
type observation struct {
	elapsed time.Duration // since the tick before
	outTime float64       // seconds
	closing bool          // the container is being rearranged: output time is at its end
	written time.Time     // when the work file last changed; only asked of one that is closing
	size    int64         // of the work file
}

// step adds an observation and returns why the run must end now, or nil.
func (w *watch) step(o observation) *failure.Error {
	elapsed := min(o.elapsed, maxTick)
	w.ran += elapsed
	w.still += elapsed
	if o.outTime != w.outTime || o.closing && !o.written.Equal(w.written) {
		w.outTime, w.written, w.still = o.outTime, o.written, 0
	}
	timeout := time.Duration(w.limits.TimeoutSec) * time.Second
	switch {
	case timeout > 0 && w.ran >= timeout:
		return failure.Errorf(ffrtmp.Timeout, "ran longer than timeout_sec = %d", w.limits.TimeoutSec)
	case w.limits.MaxDiskMB > 0 && o.size > int64(w.limits.MaxDiskMB)<<20:
		return failure.Errorf(ffrtmp.UserError, "the output grew past max_disk_mb = %d", w.limits.MaxDiskMB)
	case w.still >= w.hangAfter:
		return failure.Errorf(ffrtmp.Hung, "%s", fmt.Sprintf("ffmpeg hung: its output time stood still at %.1f s for %s", o.outTime, w.hangAfter))
	}
	return nil
}
