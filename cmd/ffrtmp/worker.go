package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// worker is one client of a bench. One goroutine uses it.
type worker struct {
	benchmark *benchmark
	client    *client.Client
	node      string // of mode cycle
	took      []time.Duration
	errors    int
}

// work repeats the operation until end.
func (w *worker) work(ctx context.Context, end time.Time) error {
	for time.Now().Before(end) {
		start := time.Now()
		err := w.operation(ctx)
		switch {
		case err == nil:
			w.took = append(w.took, time.Since(start))
		case ctx.Err() != nil:
			return nil
		case !transient(err):
			return err
		default:
			w.errors++
		}
	}
	return nil
}

// transient reports whether a cluster in trouble may answer better later. The
// client has waited before it gave up, so that this does not spin.
func transient(err error) bool {
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.NoLeader, ffrtmp.UnknownOutcome, ffrtmp.RateLimited:
		return true
	}
	return false
}

func (w *worker) operation(ctx context.Context) error {
	if _, err := w.client.Submit(ctx, w.benchmark.spec()); err != nil || w.benchmark.mode == modeSubmit {
		return err
	}
	claimed, err := w.claim(ctx)
	if err != nil {
		return err
	}
	_, err = w.client.Result(ctx, ffrtmp.Result{
		JobID: claimed.ID, NodeID: w.node, Attempt: claimed.Attempt, Lease: claimed.Lease, Status: ffrtmp.ResultCompleted,
	})
	return err
}

// claim takes any of the run's jobs: every worker has submitted one before.
func (w *worker) claim(ctx context.Context) (ffrtmp.Job, error) {
	const wait = 5 * time.Second
	jobs, err := w.client.Claim(ctx, ffrtmp.ClaimRequest{NodeID: w.node, Max: 1, Wait: ffrtmp.Duration(wait)})
	if err != nil {
		return ffrtmp.Job{}, err
	}
	if len(jobs) == 0 {
		return ffrtmp.Job{}, ffrtmp.Errorf(ffrtmp.Internal, "no job was given to a free node for %s although one waits", wait)
	}
	return jobs[0], nil
}

func (w *worker) register(ctx context.Context) error {
	w.node = uuid.NewString()
	_, err := w.client.Register(ctx, ffrtmp.Registration{
		NodeID: w.node, Name: "bench-" + w.node[:8], Address: "bench-" + w.node, Type: "bench",
		CPUThreads: 1, MaxConcurrentJobs: 1, Encoders: []string{"libx264"},
		Labels: map[string]string{benchLabel: w.benchmark.label},
	})
	if err != nil {
		return fmt.Errorf("register a node: %w", err)
	}
	return nil
}

// leave removes the node, and with it what it held when the run was ended. A node
// that stays is shown as offline and does no harm, so a failure is not reported.
func (w *worker) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = w.client.RemoveNode(ctx, w.node, true)
}
