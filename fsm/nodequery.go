package fsm

import (
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Nodes returns the registered nodes by name.
func (f *FSM) Nodes() []ffrtmp.Node {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := []ffrtmp.Node{}
	if f.state == nil {
		return list
	}
	for _, n := range f.state.nodes.byKey {
		if !n.Removed {
			list = append(list, n.show())
		}
	}
	slices.SortFunc(list, func(a, b ffrtmp.Node) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return list
}

// Node returns a registered node, or a NotFound error.
func (f *FSM) Node(id string) (ffrtmp.Node, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return ffrtmp.Node{}, errNoState
	}
	n, refused := f.state.nodes.find(id)
	if refused != nil {
		return ffrtmp.Node{}, refused
	}
	return n.show(), nil
}

// Running returns every attempt that is running or may be reclaimed, by sequence
// number. A new leader starts from it.
func (f *FSM) Running() []store.Attempt {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var list []store.Attempt
	if f.state == nil {
		return list
	}
	for _, n := range f.state.nodes.byKey {
		for _, j := range n.attempts {
			list = append(list, j.running())
		}
	}
	slices.SortFunc(list, func(a, b store.Attempt) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return list
}

// NodeAttempts is Running of one node.
func (f *FSM) NodeAttempts(nodeID string) []store.Attempt {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil
	}
	n, refused := f.state.nodes.find(nodeID)
	if refused != nil {
		return nil
	}
	list := make([]store.Attempt, 0, len(n.attempts))
	for _, j := range n.sorted() {
		list = append(list, j.running())
	}
	return list
}

func (j *activeJob) running() store.Attempt {
	return store.Attempt{
		AttemptID: store.AttemptID{Seq: j.seq, Attempt: int(j.attempt)}, JobID: j.id.String(), NodeID: j.node.ID,
		Lease: j.lease.String(), Status: j.status,
		Sealed: j.hold == store.HoldSealed, Lost: j.hold == store.HoldLost, TimeoutAt: store.TimeOf(max(j.timeoutAt,
			0)),
	}
}

// Counts are counts of the whole cluster.
type Counts struct {
	Submitted int64                   // ever
	Retries   int64                   // ever
	Losses    int64                   // of attempts, ever; reclaimed ones included
	Jobs      map[ffrtmp.Status]int64 // terminal ones: ever; the others: now
	Nodes     map[ffrtmp.NodeStatus]int

	// Of nodes that are not offline.
	CPUThreads int
	RAMBytes   int64
	GPUNodes   int
}

// Counts returns the counts, in time proportional to the number of nodes.
func (f *FSM) Counts() Counts {
	c := Counts{Jobs: map[ffrtmp.Status]int64{}, Nodes: map[ffrtmp.NodeStatus]int{}}
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := f.state
	if s == nil {
		return c
	}
	c.Submitted, c.Retries, c.Losses = s.meta.Submitted, s.meta.Retries, s.meta.Losses
	for status, n := range s.active {
		c.Jobs[store.StatusCodes[status]] = int64(n)
	}
	c.Jobs[ffrtmp.Completed], c.Jobs[ffrtmp.Failed], c.Jobs[ffrtmp.Canceled] = s.meta.Completed, s.meta.Failed,
		s.meta.Canceled
	for _, n := range s.nodes.byKey {
		if n.Removed {
			continue
		}
		c.Nodes[n.status()]++
		if n.Offline {
			continue
		}
		c.CPUThreads += n.CPUThreads
		c.RAMBytes += n.RAMTotalBytes
		if n.HasGPU {
			c.GPUNodes++
		}
	}
	return c
}
