package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A stream with progress is written to after a pause, at once if it has been idle, and ends meanwhile.
func TestEventStream_Pace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e eventStream
		for _, test := range []struct{ idle, want time.Duration }{{0, progressPace}, {time.Minute, 0}} {
			e.sent = time.Now()
			time.Sleep(test.idle)
			start := time.Now()
			if err := e.pace(t.Context()); err != nil || time.Since(start) != test.want {
				t.Errorf("idle for %s: got a pause of %s, %v, want %s", test.idle, time.Since(start), err, test.want)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e.sent = time.Now()
		if err := e.pace(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of the stream", err)
		}
	})
}
