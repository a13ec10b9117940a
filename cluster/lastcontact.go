package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// contacts keep Raft from backing off. It waits twice as long after each try in
// vain to replicate to a member, up to ten seconds, and that is how late it would
// notice a member that has come back; its heartbeats never wait for longer than
// half their timeout. So a failed try does not return before a heartbeat has got
// through, and a member that was down for an hour has cost no more than one.
type contactTracker struct {
	ctx   context.Context // ends all waits
	quiet time.Duration   // without a heartbeat to a member means that none follow: it is removed, or another leads

	mu sync.Mutex
	of map[raft.ServerID]*memberContact
}

type memberContact struct {
	beats uint64        // heartbeats tried
	made  chan struct{} // closed at the next one that is answered
}

func newContactTracker(ctx context.Context, quiet time.Duration) *contactTracker {
	return &contactTracker{ctx: ctx, quiet: quiet, of: map[raft.ServerID]*memberContact{}}
}

// heartbeat is a try to reach the member.
func (c *contactTracker) heartbeat(id raft.ServerID, rpc func() error) error {
	c.beat(id)
	err := rpc()
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		close(c.of[id].made)
		c.of[id].made = make(chan struct{})
	}
	return err
}

func (c *contactTracker) beat(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.get(id).beats++
}

// replicate returns a failure of the RPC once the member has been reached since,
// or nobody tries any more.
func (c *contactTracker) replicate(id raft.ServerID, rpc func() error) error {
	err := rpc()
	if err == nil {
		return nil
	}
	beats, made := c.look(id)
	for {
		select {
		case <-made:
			return err
		case <-c.ctx.Done():
			return err
		case <-time.After(c.quiet):
		}
		now, _ := c.look(id)
		if now == beats {
			return err
		}
		beats = now
	}
}

func (c *contactTracker) look(id raft.ServerID) (beats uint64, made <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.get(id)
	return m.beats, m.made
}

// get returns what is known of the member; c.mu is held.
func (c *contactTracker) get(id raft.ServerID) *memberContact {
	m := c.of[id]
	if m == nil {
		m = &memberContact{made: make(chan struct{})}
		c.of[id] = m
	}
	return m
}

// isHeartbeat tells Raft's heartbeats from its other requests as its own transport
// does.
func isHeartbeat(req *raft.AppendEntriesRequest) bool {
	return req.PrevLogEntry == 0 && req.PrevLogTerm == 0 && len(req.Entries) == 0 && req.LeaderCommitIndex == 0
}
