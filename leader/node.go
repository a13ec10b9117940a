package leader

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// offlineAfter is after how many lease times of silence a node is offline; v2.2's nodes
// not before LegacyTTL.
const offlineAfter = 3

// node is the live state of a node, beyond its row in the database.
type node struct {
	queueEntry
	id        string
	legacy    bool
	held      map[string]*attempt // by job id
	silent    time.Duration       // how long it may be silent
	seen      time.Time           // last contact, or the start of the term
	contacted bool                // seen is a contact
	saved     time.Time           // seen as last proposed to the state
	offline   bool                // in the state, or proposed
	removed   bool
	changed   chan struct{} // closed when commands for it may have changed
	// sent is the last command that the node was sent for each attempt.
	sent map[ffrtmp.AttemptRef]ffrtmp.Verb
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
	if n.offline || n.removed {
		return time.Time{}
	}
	return n.seen.Add(n.silent)
}

// wake makes waiting heartbeats look for commands.
func (n *node) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// addNode starts watching a node, or updates one. The caller holds mu, or is the only user
// of the term.
func (t *term) addNode(row *ffrtmp.Node) *node {
	n := t.nodes[row.ID]
	if n == nil {
		n = &node{id: row.ID, held: map[string]*attempt{}, changed: make(chan struct{})}
		t.nodes[row.ID] = n
	}
	n.legacy, n.offline, n.seen = row.Legacy, row.Status == ffrtmp.NodeOffline, time.Now()
	n.silent = offlineAfter * t.cfg.LeaseTTL
	if n.legacy {
		n.silent = max(n.silent, LegacyTTL)
	}
	t.watch(n)
	return n
}

// contact returns the node with this id and records that it has just been in contact. One
// that was offline is marked online. The caller must not hold mu.
func (t *term) contact(id string) (*node, error) {
	t.mu.Lock()
	n := t.nodes[id]
	t.mu.Unlock()
	if n == nil {
		row, err := t.cfg.State.Node(id)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		n = t.addNode(&row)
		t.mu.Unlock()
	}
	t.mu.Lock()
	n.seen, n.contacted = time.Now(), true
	wasOffline := n.offline
	n.offline = false
	if wasOffline {
		t.watch(n)
	}
	t.mu.Unlock()
	if wasOffline {
		if _, _, err := t.cfg.Proposer.SetOffline(t.ctx, []string{id}, false); err != nil {
			t.mu.Lock()
			n.offline = true
			t.mu.Unlock()
			return nil, err
		}
		t.cfg.Logger.Info("node is online", "node", id)
	}
	return n, nil
}

// LastSeen is when the node was last in contact with this leader.
func (s *Service) LastSeen(nodeID string) (time.Time, bool) {
	t := s.current()
	if t == nil {
		return time.Time{}, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[nodeID]
	if n == nil || !n.contacted {
		return time.Time{}, false
	}
	return n.seen.Round(0).UTC(), true
}

// markOffline proposes that nodes that have been silent for too long are offline.
func (t *term) markOffline(nodes []*node) {
	if len(nodes) == 0 {
		return
	}
	names := make([]string, len(nodes))
	t.mu.Lock()
	for i, n := range nodes {
		names[i], n.offline = n.id, true
	}
	t.mu.Unlock()
	if _, _, err := t.cfg.Proposer.SetOffline(t.ctx, names, true); err != nil {
		t.mu.Lock()
		for _, n := range nodes {
			n.offline, n.seen = false, time.Now().Add(retryInterval-n.silent)
			t.deadlines.watch(n)
		}
		t.mu.Unlock()
		t.cfg.Logger.Warn("cannot mark silent nodes offline; retrying", "error", err)
		return
	}
	t.cfg.Logger.Warn("nodes are offline", "nodes", names)
	t.signalWork() // jobs that avoid some nodes may now run on the others
}
