package api

import (
	"context"
	"errors"
	"io"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// Bounds of ?seconds= of a profile that takes time.
const (
	defaultProfile = 30 * time.Second
	maxProfile     = 300 // seconds
)

// profile streams one of the Go runtime's profiles of this master, for go tool pprof. With debug
// it is text.
func (s *Server) profile(c *call) (*answer, error) {
	name := c.PathValue("profile")
	a := &answer{streamType: "application/octet-stream"}
	q := c.URL.Query()
	long := defaultProfile
	if q.Has("seconds") {
		seconds, err := queryUint(q, "seconds")
		if long = time.Duration(seconds) * time.Second; err != nil || seconds < 1 || seconds > maxProfile {
			return nil, ffrtmp.FieldErrorf("seconds", "%q is not a number from 1 to %d", q.Get("seconds"), maxProfile)
		}
	}
	debug, err := queryUint(q, "debug")
	if err != nil {
		return nil, err
	}
	if debug > 0 {
		a.streamType = streamType
	}
	switch known := pprof.Lookup(name); {
	case name == "profile":
		a.stream = s.record(long, pprof.StartCPUProfile, pprof.StopCPUProfile)
	case name == "trace":
		a.stream = s.record(long, trace.Start, trace.Stop)
	case known != nil:
		a.stream = func(_ context.Context, w *flushWriter) error { return known.WriteTo(w, int(min(debug, 2))) }
		return a, nil
	default:
		return nil, ffrtmp.Errorf(ffrtmp.NotFound, "no profile %q; there are profile, trace, goroutine, heap, allocs, "+
			"block, mutex and threadcreate", name)
	}
	if s.recording.Load() {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "another profile is being recorded; wait until it ends")
	}
	return a, nil
}

// record returns what streams a recording. There is one at a time: the runtime has no more.
func (s *Server) record(
	long time.Duration, start func(io.Writer) error, stop func(),
) func(context.Context, *flushWriter) error {
	return func(ctx context.Context, w *flushWriter) error {
		if s.recording.Swap(true) {
			return errors.New("another profile is being recorded")
		}
		defer s.recording.Store(false)
		if err := start(w); err != nil {
			return err
		}
		defer stop()
		return ctxtime.Sleep(ctx, long)
	}
}
