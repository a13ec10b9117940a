package fsm

import (
	"slices"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
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
		if !n.removed {
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
		return ffrtmp.Node{}, ffrtmp.Errorf(ffrtmp.Internal, "this master's state is not there yet")
	}
	n, refused := f.state.nodes.find(id)
	if refused != nil {
		return ffrtmp.Node{}, refused
	}
	return n.show(), nil
}

// RunningAttempt is an attempt that goes on, or a lost one that its node may
// still take back.
type RunningAttempt struct {
	Seq       uint64
	JobID     string
	Attempt   int
	NodeID    string
	Lease     string // hex
	Status    ffrtmp.Status
	Sealed    bool      // it cannot be lost
	Lost      bool      // its node may take it back until the next claim
	TimeoutAt time.Time // zero without a limit
}

// Running returns every attempt that goes on or may be taken back, by sequence
// number: what a new leader must know.
func (f *FSM) Running() []RunningAttempt {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var list []RunningAttempt
	if f.state == nil {
		return list
	}
	for _, n := range f.state.nodes.byKey {
		for _, j := range n.attempts {
			list = append(list, j.running())
		}
	}
	slices.SortFunc(list, func(a, b RunningAttempt) int { return int(int64(a.Seq) - int64(b.Seq)) })
	return list
}

// NodeAttempts is Running of one node.
func (f *FSM) NodeAttempts(nodeID string) []RunningAttempt {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil
	}
	n, refused := f.state.nodes.find(nodeID)
	if refused != nil {
		return nil
	}
	list := make([]RunningAttempt, 0, len(n.attempts))
	for _, j := range n.sorted() {
		list = append(list, j.running())
	}
	return list
}

func (j *activeJob) running() RunningAttempt {
	return RunningAttempt{
		Seq: j.seq, JobID: j.id.String(), Attempt: int(j.attempt), NodeID: j.node.ID, Lease: j.lease.String(), Status: j.status,
		Sealed: j.hold == holdSealed, Lost: j.hold == holdLost, TimeoutAt: timeOf(max(j.timeoutAt, 0)),
	}
}

// Counts are the figures of the whole cluster.
type Counts struct {
	Submitted int64                   // ever
	Retries   int64                   // ever
	Losses    int64                   // of attempts, ever; taken back ones too
	Jobs      map[ffrtmp.Status]int64 // terminal ones: ever; the others: now
	Nodes     map[ffrtmp.NodeStatus]int

	// Of nodes that are not offline.
	CPUThreads int
	RAMBytes   int64
	GPUNodes   int
}

// Counts returns the figures; its cost is that of the number of nodes.
func (f *FSM) Counts() Counts {
	c := Counts{Jobs: map[ffrtmp.Status]int64{}, Nodes: map[ffrtmp.NodeStatus]int{}}
	f.mu.RLock()
	defer f.mu.RUnlock()
	s := f.state
	if s == nil {
		return c
	}
	c.Submitted, c.Retries, c.Losses = s.meta.submitted, s.meta.retries, s.meta.losses
	for status, n := range s.active {
		c.Jobs[statusCodes[status]] = int64(n)
	}
	c.Jobs[ffrtmp.Completed], c.Jobs[ffrtmp.Failed], c.Jobs[ffrtmp.Canceled] = s.meta.completed, s.meta.failed, s.meta.canceled
	for _, n := range s.nodes.byKey {
		if n.removed {
			continue
		}
		c.Nodes[n.status()]++
		if n.offline {
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

func (f *FSM) databasePath() string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return ""
	}
	return f.state.path
}
