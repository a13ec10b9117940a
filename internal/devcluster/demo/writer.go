package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/openloop"
)

// interval is the time between two submissions, whatever the outcome of earlier ones.
const interval = 10 * time.Millisecond

// inFlight is the maximum number of submissions without a response.
const inFlight = 1024

// writer submits jobs in an open loop. No node can run them.
type writer struct {
	client                 *client.Client
	*openloop.Loop[string] // of job ids
}

const label = "ffrtmp-demo"

func startWriter(ctx context.Context, c *client.Client) *writer {
	w := &writer{client: c}
	// Stop waits for the submissions in flight.
	w.Loop = openloop.Start(context.WithoutCancel(ctx), openloop.Config[string]{
		Interval: interval, InFlight: inFlight, Write: w.write,
	})
	return w
}

func (w *writer) write(ctx context.Context, n, _ int) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	j, err := w.client.Submit(ctx, ffrtmp.Spec{
		Scenario: "360p", Queue: ffrtmp.Batch,
		Labels:   map[string]string{label: strconv.Itoa(n)},
		Requires: &ffrtmp.Requires{Labels: map[string]string{label: "nowhere"}},
	})
	return j.ID, err
}

func (w *writer) count() int { return len(w.Result().Acks) }

func (w *writer) longestGap() time.Duration {
	gap, _ := w.Result().LongestGap(time.Time{})
	return gap
}

// verify reads all of the writer's jobs: none that was acknowledged may be missing, and
// no submission may have created two. Then it cancels them.
func (w *writer) verify(ctx context.Context) error {
	r := w.Result()
	if err := errors.Join(r.Failed...); err != nil {
		return fmt.Errorf("write refused: %w", err)
	}
	acked := map[string]bool{}
	for _, a := range r.Acks {
		acked[a.Value] = true
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
		if acked[j.ID] {
			found++
		}
	}
	if found != len(acked) {
		return fmt.Errorf("%d of %d acknowledged jobs lost", len(acked)-found, len(acked))
	}
	_, err := w.client.CancelMany(ctx, ffrtmp.Filter{Label: label})
	return err
}
