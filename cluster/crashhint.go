package cluster

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

const (
	// A process that dies closes its connections and its port in any order, and
	// on a busy machine slowly, so the port is probed for up to a second.
	probeTries   = 8
	probePause   = 10 * time.Millisecond
	probeTimeout = 100 * time.Millisecond
	// rankTimeout bounds the requests for the other voters' logs.
	rankTimeout = 100 * time.Millisecond
	// hintStagger is how long a voter waits for each one that stands before it.
	hintStagger = 150 * time.Millisecond
	hintTries   = 4
)

// crashHint replaces a leader whose process has died without waiting for a
// timeout. When a connection from the leader breaks and its port refuses
// connections, its process is gone but its host is up; a follower then stands
// for election. Any member may do so at any time, so a wrong guess costs a term
// and nothing else.
//
// The voter with the newest log stands first; the others follow one by one while
// there is no leader. A candidate with an older log cannot win, so a voter that
// sees one stands at once.
type crashHint struct {
	self string
	lead *leadership
	log  hclog.Logger
	node candidate

	broken chan string
	votes  chan raft.RequestVoteRequest
}

// candidate is this master as the crash hint sees it.
type candidate interface {
	// probe dials the peer port of a member and disconnects.
	probe(ctx context.Context, id string) error
	// statusOf returns the status of a member, or of this master.
	statusOf(ctx context.Context, id string) (status, error)
	voters() []string
	nameOf(id string) string
	raftState() raft.RaftState
	lastEntry() (term, index uint64)
	standForElection() error
}

func newCrashHint(self string, lead *leadership, node candidate, log hclog.Logger) *crashHint {
	return &crashHint{
		self: self, lead: lead, node: node, log: log,
		broken: make(chan string, 16), votes: make(chan raft.RequestVoteRequest, 16),
	}
}

// connectionBroken is called when a connection from a member has ended. It never
// blocks.
func (h *crashHint) connectionBroken(id string) {
	if _, last := h.lead.known(); id != last {
		return
	}
	select {
	case h.broken <- id:
	default: // enough are queued
	}
}

// observe is a raft.FilterFn that notices candidates.
func (h *crashHint) observe(o *raft.Observation) bool {
	if vote, ok := o.Data.(raft.RequestVoteRequest); ok {
		select {
		case h.votes <- vote:
		default:
		}
	}
	return false
}

func (h *crashHint) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.votes: // matters only while a leader is missing
		case id := <-h.broken:
			if h.leaderless(id) && h.isVoter() && h.dead(ctx, id) {
				h.replace(ctx, id)
			}
		}
	}
}

// leaderless reports whether this master follows the dead leader or none.
func (h *crashHint) leaderless(dead string) bool {
	now, last := h.lead.known()
	return last == dead && (now == dead || now == "") && h.node.raftState() == raft.Follower
}

func (h *crashHint) isVoter() bool { return slices.Contains(h.node.voters(), h.self) }

// dead reports whether the member's port refuses connections.
func (h *crashHint) dead(ctx context.Context, id string) bool {
	for try := range probeTries {
		if try > 0 && ctxtime.Sleep(ctx, probePause<<(try-1)) != nil {
			return false
		}
		pctx, cancel := context.WithTimeout(ctx, probeTimeout)
		err := h.node.probe(pctx, id)
		cancel()
		if errors.Is(err, unix.ECONNREFUSED) {
			return true
		}
		if !h.leaderless(id) {
			return false
		}
	}
	return false
}

// replace stands for election in this voter's turn, and again while there is no
// leader.
func (h *crashHint) replace(ctx context.Context, dead string) {
	begin := time.Now()
	changed := h.lead.next()
	wait := time.Duration(h.rank(ctx, dead)) * hintStagger
	for range hintTries {
		if !h.turn(ctx, dead, wait, changed) {
			return
		}
		h.log.Info("leader process died; standing for election",
			"leader", dead, "name", h.node.nameOf(dead), "after", time.Since(begin))
		if err := h.node.standForElection(); err != nil {
			h.log.Warn("cannot stand for election", "error", err)
		}
		changed = h.lead.next()
		wait = hintStagger
	}
}

// turn waits for this voter's turn. It returns false when there is a leader.
func (h *crashHint) turn(ctx context.Context, dead string, wait time.Duration, changed <-chan struct{}) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
			if now, _ := h.lead.known(); now != "" && now != dead {
				return false
			}
			changed = h.lead.next()
		case vote := <-h.votes:
			if string(vote.ID) == h.self {
				continue
			}
			if term, index := h.node.lastEntry(); newer(term, index, vote.LastLogTerm, vote.LastLogIndex) {
				return h.leaderless(dead)
			}
			timer.Reset(hintStagger) // it may win
		case <-timer.C:
			return h.leaderless(dead)
		}
	}
}

// rank counts the voters that stand before this one: those with a newer log, or
// an equal log and a smaller id. A voter that does not answer at once does not
// count.
func (h *crashHint) rank(ctx context.Context, dead string) int {
	ctx, cancel := context.WithTimeout(ctx, rankTimeout)
	defer cancel()
	term, index := h.node.lastEntry()
	voters := h.node.voters()
	before := make([]bool, len(voters))
	var g errgroup.Group
	for i, id := range voters {
		if id == h.self || id == dead {
			continue
		}
		g.Go(func() error {
			s, err := h.node.statusOf(ctx, id)
			if err != nil {
				return nil //nolint:nilerr // it cannot win either
			}
			before[i] = newer(s.LastTerm, s.LastIndex, term, index) ||
				s.LastTerm == term && s.LastIndex == index && id < h.self
			return nil
		})
	}
	_ = g.Wait() // no error is returned above
	rank := 0
	for _, b := range before {
		if b {
			rank++
		}
	}
	return rank
}

// newer reports whether the first log is newer than the second by Raft's rule.
func newer(term, index, otherTerm, otherIndex uint64) bool {
	return term > otherTerm || term == otherTerm && index > otherIndex
}

// probe implements candidate.
func (n *Node) probe(ctx context.Context, id string) error {
	a, ok := n.book.lookup(id)
	if !ok {
		return errUnknownMember
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Peer)
	if err != nil {
		return err
	}
	return conn.Close()
}

// raftState implements candidate.
func (n *Node) raftState() raft.RaftState { return n.raft.State() }

// standForElection implements candidate.
func (n *Node) standForElection() error { return n.transport.standForElection() }
