package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
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

// openLoop collects the results of writes. It is safe for concurrent use.
type openLoop struct {
	mu      sync.Mutex
	start   time.Time
	acks    []time.Duration // since start
	took    []time.Duration
	ids     map[string]bool
	leaders map[string]bool
	refused int
	unknown int
	fault   error // the first permanent one
}

func (c *command) benchFailover(ctx context.Context, b benchmark) (err error) {
	pool, err := c.pool(connections)
	if err != nil {
		return err
	}
	defer pool.close()
	defer func() { err = errors.Join(err, b.cleanUp(ctx, pool[0])) }()
	loop := &openLoop{start: time.Now(), ids: map[string]bool{}, leaders: map[string]bool{}}
	r := gapReport{}
	r.Sent, r.Missed = c.writeOpenly(ctx, loop, b, pool)
	if loop.fault != nil {
		return fmt.Errorf("bench: %w", loop.fault)
	}
	loop.summarise(&r)
	if err := loop.verify(ctx, pool[0], b, &r); err != nil {
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

// writeOpenly sends a write at every interval, whether or not the earlier ones were answered, and returns how many it
// sent and how many it had to leave out.
func (c *command) writeOpenly(ctx context.Context, loop *openLoop, b benchmark, pool clients) (sent, missed int) {
	ticker := time.NewTicker(b.interval)
	defer ticker.Stop()
	end := time.NewTimer(b.duration)
	defer end.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	slots := make(chan struct{}, maxInFlight)
	var wait sync.WaitGroup
	defer wait.Wait()
	for {
		select {
		case <-ctx.Done():
			return sent, missed
		case <-end.C:
			return sent, missed
		case <-second.C:
			if loop.failed() {
				return sent, missed
			}
			loop.progress(c)
		case <-ticker.C:
			select {
			case slots <- struct{}{}:
				cl := pool[sent%len(pool)]
				sent++
				wait.Go(func() {
					defer func() { <-slots }()
					loop.write(ctx, cl, b)
				})
			default:
				missed++
			}
		}
	}
}

func (l *openLoop) write(ctx context.Context, cl *client.Client, b benchmark) {
	start := time.Now()
	var meta client.Meta
	j, err := cl.Submit(ctx, b.spec(), client.WithMeta(&meta))
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.acks = append(l.acks, now.Sub(l.start))
		l.took = append(l.took, now.Sub(start))
		l.ids[j.ID] = true
		l.leaders[meta.Leader] = true
	case ffrtmp.CodeOf(err) == ffrtmp.UnknownOutcome:
		l.unknown++
	default:
		l.refused++
		if !transient(err) && l.fault == nil && ctx.Err() == nil {
			l.fault = err
		}
	}
}

func (l *openLoop) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault != nil
}

// progress prints the state so far.
func (l *openLoop) progress(c *command) {
	l.mu.Lock()
	n := len(l.acks)
	gap, at := longestGap(l.acks)
	l.mu.Unlock()
	fmt.Fprintf(c.err, "%4.0fs  %d acknowledged  longest gap %d ms (at %.1fs)\n", time.Since(l.start).Seconds(), n,
		gap.Milliseconds(), at.Seconds())
}

// longestGap returns the longest time between two of acks, and when it began.
// It sorts acks.
func longestGap(acks []time.Duration) (gap, at time.Duration) {
	slices.Sort(acks)
	for i := 1; i < len(acks); i++ {
		if d := acks[i] - acks[i-1]; d > gap {
			gap, at = d, acks[i-1]
		}
	}
	return gap, at
}

func (l *openLoop) summarise(r *gapReport) {
	gap, at := longestGap(l.acks)
	slices.Sort(l.took)
	r.Seconds = time.Since(l.start).Seconds()
	r.Acknowledged, r.Refused, r.Unknown = len(l.acks), l.refused, l.unknown
	r.LongestGap, r.GapAt = gap.Seconds()*1000, at.Seconds()
	r.P50, r.P99 = quantile(l.took, 0.5), quantile(l.took, 0.99)
	r.Leaders = len(l.leaders)
}

// verify looks up every acknowledged job.
func (l *openLoop) verify(ctx context.Context, cl *client.Client, b benchmark, r *gapReport) error {
	found, extra := 0, 0
	list := client.ListOptions{Filter: ffrtmp.Filter{Label: benchLabel + "=" + b.label}, Limit: ffrtmp.MaxLimit}
	for j, err := range cl.AllJobs(ctx, list, client.Consistent()) {
		if err != nil {
			return fmt.Errorf("verify acknowledged jobs: %w", err)
		}
		if l.ids[j.ID] {
			found++
		} else {
			extra++
		}
	}
	r.Lost = r.Acknowledged - found
	// A write of unknown outcome may have been executed once.
	r.Doubled = max(0, extra-l.unknown)
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
