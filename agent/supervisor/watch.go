package supervisor

import (
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
	live      bool // a stream, whose output time alone counts
	ran       time.Duration
	still     time.Duration // since the last progress
	last      observation
	cpu       time.Duration // at the last progress
}

const maxTick = 4 * tick

// observation is the state of a run at a tick. Everything but elapsed is progress
// when it changes; cpu only before the first frame.
type observation struct {
	elapsed time.Duration // since the tick before
	outTime float64       // seconds
	frames  int64
	written time.Time     // when the work file last changed
	size    int64         // of the work file
	read    int64         // input position
	cpu     time.Duration // of the process group
}

// usageAfter is how long a run must stand still before its input position and CPU time
// are read, which takes a look at every process of the machine.
const usageAfter = time.Second

// needsUsage reports whether the next observation needs input position and CPU time.
func (w *watch) needsUsage() bool { return !w.live && w.still >= usageAfter }

// advanced reports whether an observation shows progress. Waiting takes a little CPU
// time, too: less than a hundredth of hangAfter does not count.
func (w *watch) advanced(o observation) bool {
	if o.outTime != w.last.outTime || w.live {
		return o.outTime != w.last.outTime
	}
	return o.frames != w.last.frames || o.size != w.last.size || !o.written.Equal(w.last.written) ||
		o.read != w.last.read || o.frames == 0 && o.cpu-w.cpu >= w.hangAfter/100
}

// step adds an observation and returns why the run must end now, or nil.
func (w *watch) step(o observation) *failure.Error {
	elapsed := min(o.elapsed, maxTick)
	w.ran += elapsed
	w.still += elapsed
	if w.advanced(o) {
		w.still, w.cpu = 0, o.cpu
	}
	w.last = o
	timeout := time.Duration(w.limits.TimeoutSec) * time.Second
	switch {
	case timeout > 0 && w.ran >= timeout:
		return failure.Errorf(ffrtmp.Timeout, "ran longer than timeout_sec = %d", w.limits.TimeoutSec)
	case w.limits.MaxDiskMB > 0 && o.size > int64(w.limits.MaxDiskMB)<<20:
		return failure.Errorf(ffrtmp.UserError, "the output grew past max_disk_mb = %d", w.limits.MaxDiskMB)
	case w.still >= w.hangAfter:
		return failure.Errorf(ffrtmp.Hung, "ffmpeg hung: no progress for %s, at %.1f s of output", w.hangAfter,
			o.outTime)
	}
	return nil
}
