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
	// A process that dies closes its connections and its port in any order, so
	// the port is probed more than once.
	probeTries   = 6
	probePause   = 10 * time.Millisecond
	probeTimeout = 100 * time.Millisecond
	// rankTimeout bounds the question how long the others' logs are.
	rankTimeout = 100 * time.Millisecond
	// hintStagger is how long a voter waits for each one that goes before it.
	hintStagger = 150 * time.Millisecond
	hintTries   = 4
)

// crashHint replaces a leader whose process has died without waiting for a
// timeout. When a connection from the leader breaks and its port refuses
// connections, its process is gone while its host is there; a follower then
// asks itself for an election. Any member may stand for election at any time,
// so a wrong guess costs a term and nothing else.
//
// The voter with the newest log goes first, the others follow one by one while
// there is no leader. A candidate with an older log cannot win, so whoever
// sees one stand goes at once.
type crashHint struct {
	self string
	lead *leadership
	log  hclog.Logger
	// probe dials the peer port of a member, and nothing more.
	probe func(ctx context.Context, id string) error
	// status asks a member, or this one, for its status.
	status func(ctx context.Context, id string) (status, error)
	voters func() []string
	state  func() raft.RaftState
	last   func() (term, index uint64)
	// stand makes this master a candidate, by a TimeoutNow to itself.
	stand func() error

	broken chan string
	votes  chan raft.RequestVoteRequest
}

func newCrashHint(self string, lead *leadership, log hclog.Logger) *crashHint {
	return &crashHint{
		self: self, lead: lead, log: log,
		broken: make(chan string, 16), votes: make(chan raft.RequestVoteRequest, 16),
	}
}

// connectionBroken is told of every connection from a member that ended. It
// never blocks.
func (h *crashHint) connectionBroken(id string) {
	if _, last := h.lead.known(); id != last {
		return
	}
	select {
	case h.broken <- id:
	default: // so many are waiting that one of them will do
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
		case <-h.votes: // of interest only while a leader is missing
		case id := <-h.broken:
			if h.leaderless(id) && h.isVoter() && h.dead(ctx, id) {
				h.replace(ctx, id)
			}
		}
	}
}

// leaderless reports whether this master follows the dead leader or nobody.
func (h *crashHint) leaderless(dead string) bool {
	now, last := h.lead.known()
	return last == dead && (now == dead || now == "") && h.state() == raft.Follower
}

func (h *crashHint) isVoter() bool { return slices.Contains(h.voters(), h.self) }

// dead reports whether the member's port refuses connections.
func (h *crashHint) dead(ctx context.Context, id string) bool {
	for try := range probeTries {
		if try > 0 && ctxtime.Sleep(ctx, probePause<<(try-1)) != nil {
			return false
		}
		pctx, cancel := context.WithTimeout(ctx, probeTimeout)
		err := h.probe(pctx, id)
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

// replace stands for election when it is this voter's turn, and again while
// there is no leader.
func (h *crashHint) replace(ctx context.Context, dead string) {
	begin := time.Now()
	changed := h.lead.next()
	wait := time.Duration(h.rank(ctx, dead)) * hintStagger
	for range hintTries {
		if !h.turn(ctx, dead, wait, changed) {
			return
		}
		h.log.Info("leader's process is gone, standing for election", "leader", dead, "after", time.Since(begin))
		if err := h.stand(); err != nil {
			h.log.Warn("could not stand for election", "error", err)
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
			if term, index := h.last(); newer(term, index, vote.LastLogTerm, vote.LastLogIndex) {
				return h.leaderless(dead)
			}
			timer.Reset(hintStagger) // it may well win: give it the time
		case <-timer.C:
			return h.leaderless(dead)
		}
	}
}

// rank counts the voters that should stand before this one: those with a newer
// log, and of equal ones those with a smaller id. A voter that does not answer
// at once does not count.
func (h *crashHint) rank(ctx context.Context, dead string) int {
	ctx, cancel := context.WithTimeout(ctx, rankTimeout)
	defer cancel()
	term, index := h.last()
	voters := h.voters()
	before := make([]bool, len(voters))
	var g errgroup.Group
	for i, id := range voters {
		if id == h.self || id == dead {
			continue
		}
		g.Go(func() error {
			s, err := h.status(ctx, id)
			if err != nil {
				return nil // it cannot win either
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

// newer reports whether the first log is newer than the second, as voters see it.
func newer(term, index, otherTerm, otherIndex uint64) bool {
	return term > otherTerm || term == otherTerm && index > otherIndex
}

// probePort dials a member's peer port.
func probePort(book *addressBook) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		a, ok := book.lookup(id)
		if !ok {
			return errUnknownMember
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.Peer)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
