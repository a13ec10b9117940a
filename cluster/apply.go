package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// enqueueTimeout bounds how long a command waits for Raft's main loop when the
// context has no deadline of its own.
const enqueueTimeout = 10 * time.Second

// Apply commits data and returns its index and what the state machine made of
// it. Errors are Raft's: raft.ErrNotLeader, raft.ErrEnqueueTimeout and
// raft.ErrLeadershipTransferInProgress mean that nothing happened; any other,
// raft.ErrLeadershipLost and the context's among them, that the outcome is
// unknown. Safe for concurrent use.
func (n *Node) Apply(ctx context.Context, data []byte) (index uint64, response any, err error) {
	start := time.Now()
	var future raft.ApplyFuture
	err = n.await(ctx, func() error {
		f := n.raft.Apply(data, remaining(ctx, enqueueTimeout))
		if err := f.Error(); err != nil {
			return err
		}
		future = f
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	n.applySeconds.Observe(time.Since(start).Seconds())
	return future.Index(), future.Response(), nil
}

// Barrier returns when everything that was committed before is applied here.
// It returns raft.ErrNotLeader on a follower.
func (n *Node) Barrier(ctx context.Context) error {
	return n.await(ctx, func() error {
		return n.raft.Barrier(remaining(ctx, enqueueTimeout)).Error()
	})
}

// VerifyLeader returns nil when this master led, by the word of a majority, at
// some moment after the call, and its state reflects every write acknowledged
// before the call. A read that follows is linearizable.
func (n *Node) VerifyLeader(ctx context.Context) error {
	// A new leader's state machine may lag behind what its predecessors
	// acknowledged, so its term's first read waits for a barrier.
	term := n.raft.CurrentTerm()
	if n.barrierTerm.Load() != term {
		if err := n.Barrier(ctx); err != nil {
			return fmt.Errorf("verify leader: %w", err)
		}
		n.barrierTerm.Store(term)
	}
	for began := time.Now(); ; {
		if err := n.await(ctx, func() error { return n.raft.VerifyLeader().Error() }); err != nil {
			return fmt.Errorf("verify leader: %w", err)
		}
		if n.verifier.verifiedSince(began, n.raft.CurrentTerm(), n.id.ID, n.voters()) {
			return nil
		}
	}
}

// Snapshot takes a snapshot now. Nothing new since the last one is no error.
func (n *Node) Snapshot(ctx context.Context) error {
	err := n.await(ctx, func() error { return n.raft.Snapshot().Error() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

// await runs one of Raft's futures, which know no context. A wait given up
// goes on in the background until Raft answers or shuts down.
func (n *Node) await(ctx context.Context, future func() error) error {
	done := make(chan error, 1)
	go func() { done <- future() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-n.stopped:
		// Raft leaves futures in its queues unanswered when it shuts down.
		return raft.ErrRaftShutdown
	}
}

// remaining is the time until the deadline of ctx, at most limit.
func remaining(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(min(time.Until(deadline), limit), time.Millisecond)
	}
	return limit
}

func timeoutContext(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
