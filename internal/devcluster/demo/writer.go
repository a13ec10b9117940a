package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// interval is how often the writer submits, whatever happened to the submissions before.
const interval = 10 * time.Millisecond

// inFlight bounds the submissions that wait for an answer at one time.
const inFlight = 1024

// writer submits jobs that no node can run, in an open loop, and remembers what
// was acknowledged when.
type writer struct {
	client *client.Client
	stop   func() // waits until nothing is in flight

	mu      sync.Mutex
	acked   map[string]bool // job ids
	last    time.Time
	longest time.Duration
	failed  error
}

const label = "ffrtmp-demo"

func startWriter(ctx context.Context, c *client.Client) *writer {
	w := &writer{client: c, acked: map[string]bool{}, last: time.Now()}
	ctx, cancel := context.WithCancel(ctx)
	var flights sync.WaitGroup
	var stopping sync.Once
	w.stop = func() {
		stopping.Do(cancel)
		flights.Wait()
	}
	flights.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		slots := make(chan struct{}, inFlight)
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			flights.Go(func() {
				defer func() { <-slots }()
				// What is in flight when the writer stops is still waited for.
				w.write(context.WithoutCancel(ctx), n)
			})
		}
	})
	return w
}

func (w *writer) write(ctx context.Context, n int) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	j, err := w.client.Submit(ctx, ffrtmp.Spec{
		Scenario: "360p", Queue: ffrtmp.Batch,
		Labels:   map[string]string{label: strconv.Itoa(n)},
		Requires: &ffrtmp.Requires{Labels: map[string]string{label: "nowhere"}},
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failed = errors.Join(w.failed, err)
		return
	}
	w.acked[j.ID] = true
	w.longest = max(w.longest, time.Since(w.last))
	w.last = time.Now()
}

func (w *writer) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

func (w *writer) longestGap() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.longest
}

// verify reads all of the writer's jobs back: none that was acknowledged may be
// missing, and no submission may have made two. Then it cancels them.
func (w *writer) verify(ctx context.Context) error {
	if w.failed != nil {
		return fmt.Errorf("write refused: %w", w.failed)
	}
	submissions := map[string]string{} // label value → job
	found := 0
	opts := client.ListOptions{Filter: ffrtmp.Filter{Label: label}}
	for j, err := range w.client.AllJobs(ctx, opts, client.Consistent()) {
		if err != nil {
			return err
		}
		n := j.Labels[label]
		if other, ok := submissions[n]; ok {
			return fmt.Errorf("submission %s created two jobs: %s and %s", n, other, j.ID)
		}
		submissions[n] = j.ID
		if w.acked[j.ID] {
			found++
		}
	}
	if found != len(w.acked) {
		return fmt.Errorf("%d of %d acknowledged jobs lost", len(w.acked)-found, len(w.acked))
	}
	_, err := w.client.CancelMany(ctx, ffrtmp.Filter{Label: label})
	return err
}
