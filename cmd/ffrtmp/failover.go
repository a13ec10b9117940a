package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/openloop"
)

// maxInFlight bounds the open loop: writes due beyond it are counted as missed.
const maxInFlight = 1024

// gapReport is the result of --failover.
type gapReport struct {
	Seconds      float64 `json:"seconds"`
	Sent         int     `json:"sent"`
	Acknowledged int     `json:"acknowledged"`
	Refused      int     `json:"refused"`
	Unknown      int     `json:"unknown"`
	Missed       int     `json:"missed"` // not sent: too many were in flight
	LongestGap   float64 `json:"longest_gap_ms"`
	GapAt        float64 `json:"longest_gap_at_seconds"`
	P50          float64 `json:"p50_ms"`
	P99          float64 `json:"p99_ms"`
	Lost         int     `json:"lost"`    // acknowledged but missing afterwards
	Doubled      int     `json:"doubled"` // present more than once
	Leaders      int     `json:"leaders"` // distinct leaders that acknowledged
}

// submission is an acknowledged write.
type submission struct{ id, leader string }

type writes = openloop.Result[submission]

func (c *command) benchFailover(ctx context.Context, b benchmark) (err error) {
	pool, err := c.pool(connections)
	if err != nil {
		return err
	}
	defer pool.close()
	defer func() { err = errors.Join(err, b.cleanUp(ctx, pool[0])) }()
	done, err := c.writeOpenly(ctx, b, pool)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	r := summarize(done)
	if err := verify(ctx, pool[0], b, done, &r); err != nil {
		return err
	}
	if err := c.print(r, gapFields(r)); err != nil {
		return err
	}
	if r.Lost > 0 || r.Doubled > 0 {
		return fmt.Errorf("%d acknowledged writes lost, %d doubled", r.Lost, r.Doubled)
	}
	return nil
}

// writeOpenly writes in an open loop until the duration, ctx or a permanent error ends it.
func (c *command) writeOpenly(ctx context.Context, b benchmark, pool clients) (writes, error) {
	loop := openloop.Start(ctx, openloop.Config[submission]{
		Interval: b.interval, InFlight: maxInFlight,
		Write: func(ctx context.Context, _, slot int) (submission, error) {
			var meta client.Meta
			j, err := pool[slot%len(pool)].Submit(ctx, b.spec(), client.WithMeta(&meta))
			return submission{id: j.ID, leader: meta.Leader}, err
		},
		Unknown: func(err error) bool { return ffrtmp.CodeOf(err) == ffrtmp.UnknownOutcome },
	})
	end := time.NewTimer(b.duration)
	defer end.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for running := true; running; {
		select {
		case <-ctx.Done():
			running = false
		case <-end.C:
			running = false
		case <-second.C:
			c.progress(loop.Result())
			running = permanent(ctx, loop.Result()) == nil
		}
	}
	loop.Stop()
	done := loop.Result()
	return done, permanent(ctx, done)
}

// permanent returns the first error that a retry cannot help; none after Ctrl-C, which fails all writes in flight.
func permanent(ctx context.Context, w writes) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // Ctrl-C ends the measurement; it is not a failure
	}
	for _, err := range w.Failed {
		if !transient(err) {
			return err
		}
	}
	return nil
}

// progress prints the state so far.
func (c *command) progress(w writes) {
	gap, at := gapOf(w)
	fmt.Fprintf(c.err, "%4.0fs  %d acknowledged  longest gap %d ms (at %.1fs)\n", time.Since(w.Start).Seconds(),
		len(w.Acks), gap.Milliseconds(), at.Seconds())
}

// gapOf returns the longest gap, and when it began, since the start.
func gapOf(w writes) (gap, at time.Duration) {
	gap, began := w.LongestGap(w.Start)
	if gap > 0 {
		at = began.Sub(w.Start)
	}
	return gap, at
}

func summarize(w writes) gapReport {
	gap, at := gapOf(w)
	took := w.Latencies()
	leaders := map[string]bool{}
	for _, a := range w.Acks {
		leaders[a.Value.leader] = true
	}
	return gapReport{
		Seconds: time.Since(w.Start).Seconds(),
		Sent:    w.Sent, Missed: w.Missed,
		Acknowledged: len(w.Acks), Refused: len(w.Failed), Unknown: len(w.Unknown),
		LongestGap: gap.Seconds() * 1000, GapAt: at.Seconds(),
		P50: quantile(took, 0.5), P99: quantile(took, 0.99),
		Leaders: len(leaders),
	}
}

// verify looks up every acknowledged job.
func verify(ctx context.Context, cl *client.Client, b benchmark, w writes, r *gapReport) error {
	ids := map[string]bool{}
	for _, a := range w.Acks {
		ids[a.Value.id] = true
	}
	found, extra := 0, 0
	list := client.ListOptions{Filter: ffrtmp.Filter{Label: benchLabel + "=" + b.label}, Limit: ffrtmp.MaxLimit}
	for j, err := range cl.AllJobs(ctx, list, client.Consistent()) {
		if err != nil {
			return fmt.Errorf("verify acknowledged jobs: %w", err)
		}
		if ids[j.ID] {
			found++
		} else {
			extra++
		}
	}
	r.Lost = r.Acknowledged - found
	// A write of unknown outcome may have been executed once.
	r.Doubled = max(0, extra-r.Unknown)
	return nil
}

func gapFields(r gapReport) *cli.Fields {
	f := &cli.Fields{}
	f.Add("Longest gap", fmt.Sprintf("%.0f ms, %.1f s after the start", r.LongestGap, r.GapAt))
	f.Add("Acknowledged", fmt.Sprintf("%d of %d sent in %.1f s", r.Acknowledged, r.Sent, r.Seconds))
	f.Add("Refused", r.Refused)
	f.Add("Unknown", r.Unknown)
	f.Add("Missed", r.Missed)
	f.Add("p50, p99", fmt.Sprintf("%.2f ms, %.2f ms", r.P50, r.P99))
	f.Add("Leaders", r.Leaders)
	f.Add("Lost", r.Lost)
	f.Add("Doubled", r.Doubled)
	return f
}
