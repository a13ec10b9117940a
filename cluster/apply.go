package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// enqueueTimeout bounds how long a command waits for Raft's main loop when the
// context has no deadline.
const enqueueTimeout = 10 * time.Second

// Apply commits data and returns its index and the state machine's response.
// Errors are Raft's: raft.ErrNotLeader, raft.ErrEnqueueTimeout and
// raft.ErrLeadershipTransferInProgress mean that nothing happened; any other,
// including raft.ErrLeadershipLost and the context's, means that the outcome is
// unknown. Safe for concurrent use.
func (n *Node) Apply(ctx context.Context, data []byte) (index uint64, response any, err error) {
	start := time.Now()
	if n.lead.isStalled() {
		return 0, nil, raft.ErrNotLeader
	}
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

// Barrier returns when everything committed before it is applied here.
// It returns raft.ErrNotLeader on a follower.
func (n *Node) Barrier(ctx context.Context) error {
	return n.await(ctx, func() error {
		return n.raft.Barrier(remaining(ctx, enqueueTimeout)).Error()
	})
}

// Snapshot takes a snapshot now. It is no error if there is nothing new.
func (n *Node) Snapshot(ctx context.Context) error {
	err := n.await(ctx, func() error { return n.raft.Snapshot().Error() })
	if errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return nil
	}
	return err
}

// await runs one of Raft's futures, which do not take a context. When ctx ends or writes
// to the log hang, the future continues in the background until Raft answers or shuts down.
func (n *Node) await(ctx context.Context, future func() error) error {
	done := make(chan error, 1)
	go func() { done <- future() }()
	for {
		changed := n.lead.next()
		if n.lead.isStalled() {
			return raft.ErrLeadershipLost
		}
		select {
		case err := <-done:
			return err
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-n.stopped:
			// Raft leaves futures in its queues unanswered when it shuts down.
			return raft.ErrRaftShutdown
		}
	}
}

// remaining returns the time until the deadline of ctx, at most limit.
func remaining(ctx context.Context, limit time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(min(time.Until(deadline), limit), time.Millisecond)
	}
	return limit
}
