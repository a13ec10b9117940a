package leader

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// offlineAfter is how many lease times a node may be silent before it counts as
// offline; v2.2's nodes at least LegacyTTL.
const offlineAfter = 3

// node is an agent as the leader knows it.
type node struct {
	place
	id      string
	legacy  bool
	held    map[string]*attempt // by job id
	silent  time.Duration       // how long it may be silent
	seen    time.Time           // newest sign of life, or the beginning of the term
	heard   bool                // seen is a sign of life
	offline bool                // as the state has it, or is about to
	gone    bool
	changed chan struct{} // closed when there may be a command for it
	// told is the last command that the node was given for each attempt.
	told map[ffrtmp.AttemptRef]ffrtmp.Verb
}

// ttl is how long the node's leases last.
func (n *node) ttl(ttl time.Duration) time.Duration {
	if n.legacy {
		return max(ttl, LegacyTTL)
	}
	return ttl
}

// due is when the node counts as offline.
func (n *node) due() time.Time {
	if n.offline || n.gone {
		return time.Time{}
	}
	return n.seen.Add(n.silent)
}

// wake makes heartbeats that wait look for commands.
func (n *node) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// addNode begins to watch a node, or takes note of what has changed of it. The
// caller holds mu, or has the term to itself.
func (t *term) addNode(j *ffrtmp.Node) *node {
	n := t.nodes[j.ID]
	if n == nil {
		n = &node{id: j.ID, held: map[string]*attempt{}, changed: make(chan struct{})}
		t.nodes[j.ID] = n
	}
	n.legacy, n.offline, n.seen = j.Legacy, j.Status == ffrtmp.NodeOffline, time.Now()
	n.silent = offlineAfter * t.cfg.LeaseTTL
	if n.legacy {
		n.silent = max(n.silent, LegacyTTL)
	}
	t.watch(n)
	return n
}

// node returns the node with this id, which has just given a sign of life, and
// makes known that one that was offline is back. The caller must not hold mu.
func (t *term) node(id string) (*node, error) {
	t.mu.Lock()
	n := t.nodes[id]
	t.mu.Unlock()
	if n == nil {
		j, err := t.cfg.State.Node(id)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		n = t.addNode(&j)
		t.mu.Unlock()
	}
	t.mu.Lock()
	n.seen, n.heard = time.Now(), true
	back := n.offline
	n.offline = false
	if back {
		t.watch(n)
	}
	t.mu.Unlock()
	if back {
		if _, _, err := t.cfg.Proposer.SetOffline(t.ctx, []string{id}, false); err != nil {
			t.mu.Lock()
			n.offline = true
			t.mu.Unlock()
			return nil, err
		}
		t.cfg.Logger.Info("node is back", "node", id)
	}
	return n, nil
}

// LastSeen is when the node last gave a sign of life to this leader.
func (s *Service) LastSeen(nodeID string) (time.Time, bool) {
	t := s.current()
	if t == nil {
		return time.Time{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[nodeID]
	if n == nil || !n.heard {
		return time.Time{}, false
	}
	return n.seen.Round(0).UTC(), true
}
