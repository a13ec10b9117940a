package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Term returns the current Raft term.
func (n *Node) Term() uint64 { return n.raft.CurrentTerm() }

// CommitIndex returns the index of the last entry known to be committed.
func (n *Node) CommitIndex() uint64 { return n.raft.CommitIndex() }

// AppliedIndex returns the index of the last entry handed to the state machine.
func (n *Node) AppliedIndex() uint64 { return n.raft.AppliedIndex() }

// ErrStalled says that writes to this master's log hang.
var ErrStalled = errors.New("log writes hang")

// Ready returns nil when this master can serve, or the reason it cannot: its log
// cannot be written, there is no leader, or it has not caught up since its
// start.
func (n *Node) Ready() error {
	if err := n.failure(); err != nil {
		return err
	}
	switch leader, _ := n.lead.known(); {
	case n.isOut.Load():
		return ErrRemoved
	case n.raft.State() == raft.Shutdown:
		return errors.New("raft is shut down")
	case n.watchdog.stalled():
		return ErrStalled
	case n.full != nil && n.full.Load():
		return errors.New("cannot write the log: the disk is full")
	case leader == "":
		return ErrNoLeader
	case !n.caughtUp.Load():
		return errors.New("catching up with the leader")
	}
	return nil
}

// catchUp gets the commit index of the first leader it finds and waits until
// this master has applied it.
func (n *Node) catchUp(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	target := uint64(0)
	for {
		if target == 0 {
			target = n.committedAtLeader(ctx)
		}
		if target > 0 && n.raft.AppliedIndex() >= target && n.raft.Stats()["fsm_pending"] == "0" {
			n.caughtUp.Store(true)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// committedAtLeader returns the leader's commit index; 0 = unknown.
func (n *Node) committedAtLeader(ctx context.Context) uint64 {
	leader, _ := n.lead.known()
	if leader == "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.statusTimeout)
	defer cancel()
	s, err := n.statusOf(ctx, leader)
	if err != nil || !s.Leads {
		return 0
	}
	return s.Commit
}

// Failed returns a channel that receives the error after which this master
// cannot continue: a write to its log failed, so the disk's content is unknown.
// The process should exit; a restart verifies the disk.
func (n *Node) Failed() <-chan error { return n.failed }

func (n *Node) fail(err error) {
	err = fmt.Errorf("this master cannot continue: %w", err)
	n.failureErr.Store(&err)
	select {
	case n.failed <- err:
	default: // it has failed before
	}
}

func (n *Node) failure() error {
	if err := n.failureErr.Load(); err != nil {
		return *err
	}
	return nil
}
