package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// benchNode is one client of a bench. One goroutine uses it.
type benchNode struct {
	benchmark *benchmark
	client    *client.Client
	node      string // of mode cycle
	took      []time.Duration
	errors    int
}

// work repeats the operation until end.
func (n *benchNode) work(ctx context.Context, end time.Time) error {
	for ctx.Err() == nil && time.Now().Before(end) {
		start := time.Now()
		err := n.operation(ctx)
		switch {
		case err == nil:
			n.took = append(n.took, time.Since(start))
		case ctx.Err() == nil && !transient(err):
			return err
		default:
			n.errors++
		}
	}
	return nil
}

// transient reports whether a retry may succeed. The client has waited before it gave up, so a loop of retries does
// not spin.
func transient(err error) bool {
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.NoLeader, ffrtmp.UnknownOutcome, ffrtmp.RateLimited:
		return true
	}
	return false
}

func (n *benchNode) operation(ctx context.Context) error {
	if _, err := n.client.Submit(ctx, n.benchmark.spec()); err != nil || n.benchmark.mode == modeSubmit {
		return err
	}
	claimed, err := n.claim(ctx)
	if err != nil {
		return err
	}
	_, err = n.client.Result(ctx, ffrtmp.Result{
		JobID: claimed.ID, NodeID: n.node, Attempt: claimed.Attempt, Lease: claimed.Lease,
		Status: ffrtmp.ResultCompleted,
	})
	return err
}

// claim takes any of the run's jobs: every client has submitted one before.
func (n *benchNode) claim(ctx context.Context) (ffrtmp.Job, error) {
	const wait = 5 * time.Second
	jobs, err := n.client.Claim(ctx, ffrtmp.ClaimRequest{NodeID: n.node, Max: 1, Wait: ffrtmp.Duration(wait)})
	if err != nil {
		return ffrtmp.Job{}, err
	}
	if len(jobs) == 0 {
		return ffrtmp.Job{}, ffrtmp.Errorf(ffrtmp.Internal,
			"no job was offered to a free node within %s although one is pending", wait)
	}
	return jobs[0], nil
}

func (n *benchNode) register(ctx context.Context) error {
	n.node = uuid.NewString()
	_, err := n.client.Register(ctx, ffrtmp.Registration{
		NodeID: n.node,
		Machine: ffrtmp.Machine{
			Name:              "bench-" + n.node[:8],
			Address:           "bench-" + n.node,
			Type:              "bench",
			CPUThreads:        1,
			MaxConcurrentJobs: 1,
			Encoders:          []string{"libx264"},
			Labels:            map[string]string{benchLabel: n.benchmark.label},
		},
	})
	if err != nil {
		return fmt.Errorf("register a node: %w", err)
	}
	return nil
}

// leave removes the node and its attempts. Errors are ignored: a node that stays is shown as offline and is harmless.
func (n *benchNode) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = n.client.RemoveNode(ctx, n.node, true)
}
