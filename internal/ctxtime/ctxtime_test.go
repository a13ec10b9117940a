package ctxtime

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleep(t *testing.T) {
	stopped := errors.New("stopped")
	for name, c := range map[string]struct {
		d, stopAfter, took time.Duration
		want               error
	}{
		"passes":      {d: time.Minute, stopAfter: time.Hour, took: time.Minute},
		"interrupted": {d: time.Hour, stopAfter: time.Minute, took: time.Minute, want: stopped},
		"no time":     {d: -1, stopAfter: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(c.stopAfter, func() { cancel(stopped) })
				start := time.Now()
				if err := Sleep(ctx, c.d); !errors.Is(err, c.want) || time.Since(start) != c.took {
					t.Errorf("got %v after %s, want %v after %s", err, time.Since(start), c.want, c.took)
				}
			})
		})
	}
}

func TestSleep_Ended(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Sleep(ctx, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
