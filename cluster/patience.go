package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// patience lets a leader on a busy machine wait longer for its followers' answers. Raft
// deposes a leader that no majority has answered for its lease, which cannot be changed
// while it runs. So a heartbeat that is in flight counts as answered as long as an answer
// to an earlier one is not older than the limit. This says nothing about who leads:
// reads and VerifyLeader count real answers only, see leaderVerifier.
type patience struct {
	slice time.Duration        // how long a heartbeat waits for its answer
	limit func() time.Duration // 0 = Raft's lease decides

	mu      sync.Mutex
	members map[raft.ServerID]*pulse
	flights sync.WaitGroup
}

// pulse is one member's in one term.
type pulse struct {
	term   uint64
	heard  time.Time // when the newest heartbeat that was answered was sent; at first, the first one
	flight *flight   // nil when none is in the air
}

type flight struct {
	done chan struct{}
	resp raft.AppendEntriesResponse
	err  error
}

type heartbeatRPC func(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) error

func newPatience(slice time.Duration, limit func() time.Duration) *patience {
	return &patience{slice: slice, limit: limit, members: map[raft.ServerID]*pulse{}}
}

// heartbeat runs a heartbeat to a member.
func (p *patience) heartbeat(
	id raft.ServerID, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse, rpc heartbeatRPC,
) error {
	if p.limit() == 0 {
		return rpc(req, resp)
	}
	f, heard := p.launch(id, req, rpc)
	timer := time.NewTimer(p.slice)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		if time.Since(heard) < p.limit() {
			*resp = raft.AppendEntriesResponse{RPCHeader: req.RPCHeader, Term: req.Term, Success: true}
			return nil
		}
		<-f.done
	}
	*resp = f.resp
	return f.err
}

// launch returns the heartbeat that is in flight to a member, or sends one, and when the
// newest that was answered was sent.
func (p *patience) launch(id raft.ServerID, req *raft.AppendEntriesRequest, rpc heartbeatRPC) (*flight, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent := time.Now()
	member := p.members[id]
	if member == nil || member.term != req.Term {
		member = &pulse{term: req.Term, heard: sent}
		p.members[id] = member
	}
	if member.flight != nil {
		return member.flight, member.heard
	}
	f, own := &flight{done: make(chan struct{})}, *req
	member.flight = f
	p.flights.Go(func() {
		f.err = rpc(&own, &f.resp)
		p.mu.Lock()
		defer p.mu.Unlock()
		member.flight = nil
		if f.err == nil && f.resp.Success {
			member.heard = sent
		}
		close(f.done)
	})
	return f, member.heard
}

// wait waits until no heartbeat is in flight; the connections are closed.
func (p *patience) wait() { p.flights.Wait() }
