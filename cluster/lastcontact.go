package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// LastContact returns the time since the leader's last message, 0 on the leader,
// and false when no leader was ever heard from.
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

// contactTracker keeps Raft from backing off. After each failure to replicate to a
// member Raft waits twice as long, up to ten seconds, and notices the member's
// return that much later; its heartbeats never wait longer than half their
// timeout. So a failed RPC does not return before a heartbeat has succeeded, and
// a member that was down for an hour has cost no more than one failure.
type contactTracker struct {
	ctx   context.Context // ends all waits
	quiet time.Duration   // after this long without a heartbeat none will follow: removed, or no longer leader

	mu      sync.Mutex
	members map[raft.ServerID]*memberContact
}

type memberContact struct {
	beats    uint64        // heartbeats sent
	answered chan struct{} // closed at the next one that is answered
}

func newContactTracker(ctx context.Context, quiet time.Duration) *contactTracker {
	return &contactTracker{ctx: ctx, quiet: quiet, members: map[raft.ServerID]*memberContact{}}
}

// heartbeat runs a heartbeat to the member.
func (c *contactTracker) heartbeat(id raft.ServerID, rpc func() error) error {
	c.beat(id)
	err := rpc()
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		m := c.members[id]
		close(m.answered)
		m.answered = make(chan struct{})
	}
	return err
}

func (c *contactTracker) beat(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.member(id).beats++
}

// replicate runs any other RPC. It returns a failure only after the member has
// answered a heartbeat since, or when the heartbeats have stopped.
func (c *contactTracker) replicate(id raft.ServerID, rpc func() error) error {
	err := rpc()
	if err == nil {
		return nil
	}
	beats, answered := c.contact(id)
	for {
		select {
		case <-answered:
			return err
		case <-c.ctx.Done():
			return err
		case <-time.After(c.quiet):
		}
		now, _ := c.contact(id)
		if now == beats {
			return err
		}
		beats = now
	}
}

func (c *contactTracker) contact(id raft.ServerID) (beats uint64, answered <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.member(id)
	return m.beats, m.answered
}

// member returns the member's contact; the caller holds c.mu.
func (c *contactTracker) member(id raft.ServerID) *memberContact {
	m := c.members[id]
	if m == nil {
		m = &memberContact{answered: make(chan struct{})}
		c.members[id] = m
	}
	return m
}

// isHeartbeat distinguishes Raft's heartbeats from its other requests as Raft's
// own transport does.
func isHeartbeat(req *raft.AppendEntriesRequest) bool {
	return req.PrevLogEntry == 0 && req.PrevLogTerm == 0 && len(req.Entries) == 0 && req.LeaderCommitIndex == 0
}
