package fsm

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// node is a node that is or was registered, with its attempts.
type node struct {
	store.Node
	held     int64                 // attempts that run
	attempts map[uint64]*activeJob // those, and the lost ones that it may reclaim
}

// usable reports whether the node may get new work, ignoring its slots.
func (n *node) usable() bool { return !n.Removed && !n.Offline && n.Eligibility == ffrtmp.Eligible }

// take and drop update the node's attempts.
func (n *node) take(j *activeJob) {
	n.attempts[j.seq] = j
	if j.hold.Current() {
		n.held++
	}
}

func (n *node) drop(j *activeJob) {
	delete(n.attempts, j.seq)
	if j.hold.Current() {
		n.held--
	}
}

// sorted returns the node's attempts by sequence number.
func (n *node) sorted() []*activeJob {
	list := make([]*activeJob, 0, len(n.attempts))
	for _, j := range n.attempts {
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b *activeJob) int { return int(int64(a.seq) - int64(b.seq)) })
	return list
}

func (n *node) status() ffrtmp.NodeStatus {
	switch {
	case n.Offline:
		return ffrtmp.NodeOffline
	case n.held > 0:
		return ffrtmp.NodeBusy
	}
	return ffrtmp.NodeAvailable
}

// show returns the node as the API shows it.
func (n *node) show() ffrtmp.Node {
	shown := n.Node.Node
	shown.Status = n.status()
	for _, j := range n.sorted() {
		if j.hold.Current() {
			shown.Running = append(shown.Running, ffrtmp.AttemptRef{JobID: j.id.String(), Attempt: int(j.attempt)})
		}
	}
	if len(shown.Running) > 0 {
		shown.CurrentJobID = shown.Running[0].JobID
	}
	return shown
}

// nodes are all nodes; removed ones are in byKey only.
type nodes struct {
	byKey     map[int64]*node
	byID      map[string]*node
	byAddress map[string]*node // v2.2 nodes, which are identified by address
	lastKey   int64
	epoch     uint64 // changes when a node does, held attempts aside
}

func newNodes() nodes {
	return nodes{byKey: map[int64]*node{}, byID: map[string]*node{}, byAddress: map[string]*node{}, epoch: 1}
}

// make returns a new node; the caller adds it.
func (s *nodes) make(id string) *node {
	n := &node{attempts: map[uint64]*activeJob{}}
	n.ID, n.Key = id, s.lastKey+1
	return n
}

func (s *nodes) add(n *node) {
	s.byKey[n.Key] = n
	s.lastKey = max(s.lastKey, n.Key)
	s.byID[n.ID] = n
	if n.Legacy && !n.Removed {
		s.byAddress[n.Address] = n
	}
	s.epoch++
}

// find returns a registered node.
func (s *nodes) find(id string) (*node, *ffrtmp.Error) {
	if n, ok := s.byID[id]; ok && !n.Removed {
		return n, nil
	}
	return nil, ffrtmp.Errorf(ffrtmp.NotFound, "node %s is not registered", id)
}

func (s *state) loadNodes() error {
	return s.EachNode(func(n store.Node) {
		s.nodes.add(&node{Node: n, attempts: map[uint64]*activeJob{}})
		s.mediaRoots.count(n.MediaRoots, 1)
	})
}
