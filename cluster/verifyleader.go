package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// confirmations remember when a request that a member has confirmed was sent.
// Raft lets any answer that comes in count for a leadership that is to be verified,
// also to a request that is older than the question; after a pause of the process
// such an answer may be older than another leader. The zero value is ready.
type leaderVerifier struct {
	mu   sync.Mutex
	last map[raft.ServerID]confirmedSend
}

type confirmedSend struct {
	term uint64
	sent time.Time // the newest of the term
}

// append is one AppendEntries RPC, heartbeats included.
func (c *leaderVerifier) append(id raft.ServerID, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse, rpc func() error) error {
	sent := time.Now()
	if err := rpc(); err != nil {
		return err
	}
	if !resp.Success {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[raft.ServerID]confirmedSend{}
	}
	if old := c.last[id]; old.term < req.Term || old.term == req.Term && old.sent.Before(sent) {
		c.last[id] = confirmedSend{req.Term, sent}
	}
	return nil
}

// since reports whether a majority of the voters, self among them, has confirmed a
// request of the term that was sent after the given time.
func (c *leaderVerifier) verifiedSince(began time.Time, term uint64, self string, voters []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	count := 0
	for _, id := range voters {
		last := c.last[raft.ServerID(id)]
		if id == self || last.term == term && !last.sent.Before(began) {
			count++
		}
	}
	return count > len(voters)/2
}
