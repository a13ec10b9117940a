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

// LastContact returns the time since the leader was last heard from, 0 on the
// leader, and false when none was ever heard from.
func (n *Node) LastContact() (time.Duration, bool) {
	if n.raft.State() == raft.Leader {
		return 0, true
	}
	last := n.raft.LastContact()
	if last.IsZero() {
		return 0, false
	}
	return time.Since(last), true
}

// Ready returns nil when this master can serve, or why it cannot: its log
// cannot be written, there is no leader, or it has not caught up since its
// start.
func (n *Node) Ready() error {
	if err := n.failure(); err != nil {
		return err
	}
	switch leader, _ := n.lead.known(); {
	case n.raft.State() == raft.Shutdown:
		return errors.New("raft has shut down")
	case n.watchdog.stalled():
		return errors.New("log writes hang")
	case n.full != nil && n.full.Load():
		return errors.New("the disk is full: the log cannot be written")
	case leader == "":
		return ErrNoLeader
	case !n.caughtUp.Load():
		return errors.New("catching up with the leader")
	}
	return nil
}

// catchUp learns from the first leader it meets how far the log was committed
// at that time, and waits until this master's state has come so far.
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

// committedAtLeader asks the leader how far its log is committed; 0 = unknown.
func (n *Node) committedAtLeader(ctx context.Context) uint64 {
	leader, _ := n.lead.known()
	if leader == "" {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	s, err := n.statusOf(ctx, leader)
	if err != nil || !s.Leads {
		return 0
	}
	return s.Commit
}

// Failed returns a channel that receives the error which has made this master
// unable to go on: its log cannot be written, and what the disk holds is no
// longer known. The process should end; a restart verifies the disk.
func (n *Node) Failed() <-chan error { return n.failed }

func (n *Node) fail(err error) {
	err = fmt.Errorf("this master cannot go on: %w", err)
	n.failureErr.Store(&err)
	n.failed <- err // has room: the store fails once
}

func (n *Node) failure() error {
	if err := n.failureErr.Load(); err != nil {
		return *err
	}
	return nil
}
