package cluster

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// VerifyLeader returns nil when a majority has confirmed that this master led at
// some moment after the call, and its state reflects every write acknowledged
// before the call. A read that follows is linearizable.
func (n *Node) VerifyLeader(ctx context.Context) error {
	// A new leader's state machine may lag behind what its predecessors
	// acknowledged, so the first read of a term waits for a barrier.
	term := n.raft.CurrentTerm()
	if n.barrierTerm.Load() != term {
		if err := n.Barrier(ctx); err != nil {
			return fmt.Errorf("verify leader: %w", err)
		}
		n.barrierTerm.Store(term)
	}
	for began := time.Now(); ; {
		if err := n.await(ctx, func() error { return n.raft.VerifyLeader().Error() }); err != nil {
			return fmt.Errorf("verify leader: %w", err)
		}
		if n.verifier.confirmedSince(began, n.raft.CurrentTerm(), n.id.ID, n.voters()) {
			return nil
		}
	}
}

// leaderVerifier remembers when the last request that a member confirmed was
// sent. Raft counts any answer as a confirmation of leadership, even the answer
// to a request older than the question; after a pause of the process such an
// answer may be older than another leader. The zero value is ready.
type leaderVerifier struct {
	mu   sync.Mutex
	last map[raft.ServerID]confirmedSend
}

type confirmedSend struct {
	term uint64
	sent time.Time // the newest of the term
	at   instant   // the same
}

// append runs one AppendEntries RPC; heartbeats are such RPCs, too.
func (v *leaderVerifier) append(
	id raft.ServerID, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse, rpc func() error,
) error {
	sent, at := time.Now(), now()
	if err := rpc(); err != nil {
		return err
	}
	if !resp.Success {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		v.last = map[raft.ServerID]confirmedSend{}
	}
	if old := v.last[id]; old.term < req.Term || old.term == req.Term && old.sent.Before(sent) {
		v.last[id] = confirmedSend{req.Term, sent, at}
	}
	return nil
}

// confirmedSince reports whether a majority of the voters, including self, has
// confirmed a request of the term that was sent at began or later.
func (v *leaderVerifier) confirmedSince(began time.Time, term uint64, self string, voters []string) bool {
	return v.majority(term, self, voters, func(last confirmedSend) bool { return !last.sent.Before(began) })
}

// leased reports whether such a majority has confirmed a request that was sent within limit.
func (v *leaderVerifier) leased(at instant, limit time.Duration, term uint64, self string, voters []string) bool {
	return v.majority(term, self, voters, func(last confirmedSend) bool { return at.since(last.at) < limit })
}

// age returns how long ago the newest request was sent that such a majority has confirmed, if there is one.
func (v *leaderVerifier) age(at instant, term uint64, self string, voters []string) (age time.Duration, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var ages []time.Duration
	for _, id := range voters {
		if last := v.last[raft.ServerID(id)]; id != self && last.term == term {
			ages = append(ages, at.since(last.at))
		}
	}
	needed := len(voters) / 2 // besides this leader
	if needed == 0 || len(ages) < needed {
		return 0, false
	}
	slices.Sort(ages)
	return ages[needed-1], true
}

func (v *leaderVerifier) majority(term uint64, self string, voters []string, counts func(confirmedSend) bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	count := 0
	for _, id := range voters {
		if last := v.last[raft.ServerID(id)]; id == self || last.term == term && counts(last) {
			count++
		}
	}
	return count > len(voters)/2
}
