package openloop

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const interval = 10 * time.Millisecond

// While a service is down, writes are sent all the same; their latencies count from when they were due.
func TestLoop_OutageIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(time.Second)
		write := func(_ context.Context, n, _ int) (int, error) {
			if n >= 10 {
				time.Sleep(time.Until(up))
			}
			return n, nil
		}
		l := Start(t.Context(), Config[int]{Interval: interval, InFlight: 1024, Write: write})
		time.Sleep(2*time.Second - interval/2)
		l.Stop()
		r := l.Result()
		if r.Sent != 200 || len(r.Acks) != 200 || r.Missed != 0 {
			t.Fatalf("got %d sent, %d acknowledged, %d missed, want 200, 200, 0", r.Sent, len(r.Acks), r.Missed)
		}
		gap, at := r.LongestGap(time.Time{})
		if want := 91 * interval; gap != want || !at.Equal(r.Start.Add(9*interval)) {
			t.Errorf("got a gap of %s after %s, want %s after %s", gap, at.Sub(r.Start), want, 9*interval)
		}
		if gap, _ := r.LongestGap(up); gap != interval {
			t.Errorf("got a gap of %s after the outage, want %s", gap, interval)
		}
		took := r.Latencies()
		if took[0] != 0 || took[199] != 90*interval {
			t.Errorf("got latencies of %s to %s, want 0 to %s", took[0], took[199], 90*interval)
		}
	})
}

// Each write in flight has a slot of its own; writes due beyond the limit are missed.
func TestLoop_InFlightLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy [2]atomic.Int32
		write := func(_ context.Context, n, slot int) (int, error) {
			if writes := busy[slot].Add(1); writes != 1 {
				t.Errorf("slot %d: got %d writes, want 1", slot, writes)
			}
			time.Sleep(4*interval - 1)
			busy[slot].Add(-1)
			return n, nil
		}
		l := Start(t.Context(), Config[int]{Interval: interval, InFlight: 2, Write: write})
		time.Sleep(8*interval - 1)
		l.Stop()
		if r := l.Result(); r.Sent != 4 || r.Missed != 4 || len(r.Acks) != 4 {
			t.Errorf("got %d sent, %d missed, %d acknowledged, want 4 each", r.Sent, r.Missed, len(r.Acks))
		}
		l.Stop()
	})
}

func TestLoop_Outcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := []error{nil, errors.New("refused"), context.DeadlineExceeded}
		ctx, cancel := context.WithCancel(t.Context())
		l := Start(ctx, Config[int]{
			Interval: interval, InFlight: 1,
			Write:   func(_ context.Context, n, _ int) (int, error) { return n, errs[n%3] },
			Unknown: func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		})
		time.Sleep(5*interval - 1)
		cancel()
		<-l.done
		r := l.Result()
		if len(r.Acks) != 2 || len(r.Failed) != 2 || len(r.Unknown) != 1 {
			t.Errorf("got %d acknowledged, %d failed, %d unknown, want 2, 2, 1",
				len(r.Acks), len(r.Failed), len(r.Unknown))
		}
	})
}
