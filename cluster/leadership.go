package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Leader is the master that the others follow.
type Leader struct {
	ID     string
	Name   string
	APIURL string // where clients reach it; "" while unknown
	// MetricsPort serves its metrics on the host of APIURL; 0 = none.
	MetricsPort int
}

// leadership tracks who leads, for this master's own work and for requests that
// wait for a leader.
type leadership struct {
	self string

	mu      sync.Mutex
	leader  string        // "" while unknown
	last    string        // the last leader that was known
	changed chan struct{} // closed at the next change
	changes atomic.Uint64 // leaders seen
	past    []LeaderChange

	raftLeads bool // by Raft's last notification
	notified  bool // the last value sent to the consumer
	stalled   bool // log writes hang
	consumer  chan bool
	// work is called with each value sent to the consumer; it must not block.
	work func(leads bool)
}

func newLeadership(self string, work func(bool)) *leadership {
	return &leadership{
		self: self, work: work,
		changed: make(chan struct{}), consumer: make(chan bool, 1),
	}
}

// observe is a raft.FilterFn: Raft calls it on its own goroutine for each
// observation, so none is dropped, and it must not block.
func (l *leadership) observe(o *raft.Observation) bool {
	if seen, ok := o.Data.(raft.LeaderObservation); ok {
		l.setLeader(string(seen.LeaderID))
	}
	return false
}

func (l *leadership) setLeader(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leader == id {
		return
	}
	l.leader = id
	l.record(time.Now())
	if id != "" {
		l.last = id
		l.changes.Add(1)
	}
	l.broadcast()
}

// broadcast wakes those that wait for a change; the caller holds l.mu.
func (l *leadership) broadcast() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// known returns the leader, or "", and the last one that was known.
func (l *leadership) known() (now, last string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled && l.leader == l.self {
		return "", l.last
	}
	return l.leader, l.last
}

// isStalled reports whether log writes hang.
func (l *leadership) isStalled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stalled
}

// awaitOther returns nil once another master than id is known to lead.
func (l *leadership) awaitOther(ctx context.Context, id string) error {
	for {
		changed := l.next()
		if leader, _ := l.known(); leader != "" && leader != id {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// next returns a channel that is closed at the next change.
func (l *leadership) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// run handles Raft's notifications of this master's own leadership.
func (l *leadership) run(ctx context.Context, notify <-chan bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case leads := <-notify:
			l.update(func() { l.raftLeads = leads })
		}
	}
}

// setStalled makes a leader whose log writes hang count as none.
func (l *leadership) setStalled(stalled bool) {
	l.update(func() { l.stalled = stalled })
}

// update sends the consumer the latest value, replacing one it has not taken.
func (l *leadership) update(set func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.stalled
	set()
	if l.stalled != was {
		l.broadcast()
	}
	leads := l.raftLeads && !l.stalled
	if leads == l.notified {
		return
	}
	l.notified = leads
	l.broadcast()
	select {
	case <-l.consumer:
	default:
	}
	l.consumer <- leads // does not block: this is the only sender
	l.work(leads)
}

// IsLeader reports whether this master leads, as far as it knows: a deposed
// leader learns of it within its lease.
func (n *Node) IsLeader() bool {
	return n.raft.State() == raft.Leader && !n.watchdog.stalled()
}

// Leader returns the leader, if one is known.
func (n *Node) Leader() (Leader, bool) {
	id, _ := n.lead.known()
	if id == "" {
		return Leader{}, false
	}
	a, _ := n.book.lookup(id)
	return Leader{ID: id, Name: n.nameOf(id), APIURL: a.APIURL, MetricsPort: a.MetricsPort}, true
}

// Leadership returns a channel that receives whether this master leads, at each
// change. Only the latest value is kept, so a slow receiver may miss a flap.
// There can be one receiver.
func (n *Node) Leadership() <-chan bool { return n.lead.consumer }

// LeaderChanged returns a channel that is closed when the known leader changes or
// is lost. Get it before calling Leader, and a new one each time.
func (n *Node) LeaderChanged() <-chan struct{} { return n.lead.next() }

// leaderChanges counts the leaders seen since the start.
func (n *Node) leaderChanges() uint64 { return n.lead.changes.Load() }

// betterSuccessor reports whether a voter is a better successor than another.
func (s *status) betterSuccessor(other *status) bool {
	if s.DiskLow != other.DiskLow {
		return other.DiskLow
	}
	return newer(s.LastTerm, s.LastIndex, other.LastTerm, other.LastIndex)
}

// TransferLeadership transfers leadership to the member with an id or name. Without one it
// chooses the most up-to-date voter that answers, if possible one with enough free disk
// space. It returns raft.ErrNotLeader on a follower, a *NoMemberError, or an error that wraps
// ErrImpossible.
func (n *Node) TransferLeadership(ctx context.Context, ref string) error {
	if !n.IsLeader() {
		return raft.ErrNotLeader
	}
	id, err := n.successor(ctx, ref)
	if err != nil || id == n.id.ID {
		return err
	}
	return n.await(ctx, func() error {
		return n.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(id)).Error()
	})
}

// successor returns the id of the next leader.
func (n *Node) successor(ctx context.Context, ref string) (string, error) {
	if ref != "" {
		m, err := findMember(n.Members(), ref)
		switch {
		case err != nil:
			return "", err
		case !m.Voter:
			return "", impossible("%s has no vote: it cannot lead", m.Name)
		case m.State == stateDead:
			return "", impossible("%s is dead", m.Name)
		}
		return m.ID, nil
	}
	// Raft's own choice may be a dead voter whose log was complete.
	var best *status
	for id, s := range n.statuses(ctx, n.voters()) {
		if id != n.id.ID && !s.Nonvoter && (best == nil || s.betterSuccessor(best)) {
			best = &s
		}
	}
	if best == nil {
		return "", errors.New("transfer leadership: no other voter answers")
	}
	return best.ID, nil
}
