package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"
)

// fakeCandidate is voter b in a cluster of a, b and c, whose leader a has lost
// its connection.
type fakeCandidate struct {
	*crashHint
	started  time.Time
	stood    []time.Duration // when b stood for election, since the connection broke
	probeErr error
	members  []string
	logs     map[string]uint64 // last index by member that answers
	state    raft.RaftState
	loses    bool // each election
}

func newFakeCandidate() *fakeCandidate {
	c := &fakeCandidate{
		probeErr: unix.ECONNREFUSED, state: raft.Follower, members: []string{"a", "b", "c"},
		logs: map[string]uint64{"b": 10, "c": 10}, started: time.Now(),
	}
	lead := newLeadership("b", func(bool) {})
	lead.setLeader("a")
	c.crashHint = newCrashHint("b", lead, c, hclog.NewNullLogger())
	return c
}

func (c *fakeCandidate) probe(context.Context, string) error { return c.probeErr }
func (c *fakeCandidate) voters() []string                    { return c.members }
func (c *fakeCandidate) nameOf(id string) string             { return "name-of-" + id }
func (c *fakeCandidate) raftState() raft.RaftState           { return c.state }
func (c *fakeCandidate) lastEntry() (term, index uint64)     { return 2, c.logs["b"] }
func (c *fakeCandidate) requestVote(index uint64) bool       { return c.observe(voteRequest("c", index)) }

func voteRequest(from string, index uint64) *raft.Observation {
	return &raft.Observation{Data: raft.RequestVoteRequest{
		RPCHeader: raft.RPCHeader{ID: []byte(from)}, LastLogTerm: 2, LastLogIndex: index,
	}}
}

func (c *fakeCandidate) statusOf(_ context.Context, id string) (status, error) {
	index, ok := c.logs[id]
	if !ok {
		return status{}, errors.New("no answer")
	}
	return status{LastTerm: 2, LastIndex: index}, nil
}

func (c *fakeCandidate) standForElection() error {
	c.stood = append(c.stood, time.Since(c.started))
	if !c.loses {
		c.state = raft.Candidate
	}
	return nil
}

// loseLeader breaks the leader's connection and runs the hint for the time. After half
// of hintStagger it calls then.
func (c *fakeCandidate) loseLeader(t *testing.T, limit time.Duration, then func(*fakeCandidate)) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { c.run(ctx); close(done) }()
	c.connectionBroken("a")
	if then != nil {
		time.Sleep(hintStagger / 2) // virtual
		then(c)
	}
	time.Sleep(limit) // virtual
	cancel()
	<-done
}

func TestCrashHint(t *testing.T) {
	never := time.Duration(-1)
	longer := func(c *fakeCandidate) { c.logs["c"] = 11 }
	tests := []struct {
		name string
		set  func(*fakeCandidate)
		then func(*fakeCandidate) // while b waits for its turn
		want time.Duration        // when b first stands
	}{
		{name: "equal logs, smaller id", want: 0},
		{name: "newest log", set: func(c *fakeCandidate) { c.logs["c"] = 9 }, want: 0},
		{name: "other voter does not answer", set: func(c *fakeCandidate) { delete(c.logs, "c") }, want: 0},
		{name: "older log", set: longer, want: hintStagger},
		{name: "leader is already unknown", set: func(c *fakeCandidate) { c.lead.setLeader("") }, want: 0},
		{
			name: "older log, but another leads", set: longer,
			then: func(c *fakeCandidate) { c.lead.setLeader("c") }, want: never,
		},
		{
			name: "candidate that cannot win", set: longer,
			then: func(c *fakeCandidate) { c.lead.setLeader(""); c.requestVote(9) }, want: hintStagger / 2,
		},
		{
			name: "candidate that may win", set: longer,
			then: func(c *fakeCandidate) { c.lead.setLeader(""); c.requestVote(11) }, want: hintStagger/2 + hintStagger,
		},
		{name: "port is open", set: func(c *fakeCandidate) { c.probeErr = nil }, want: never},
		{name: "host is gone", set: func(c *fakeCandidate) { c.probeErr = context.DeadlineExceeded }, want: never},
		{name: "leader itself", set: func(c *fakeCandidate) { c.state = raft.Leader }, want: never},
		{name: "non-voter", set: func(c *fakeCandidate) { c.members = []string{"a", "c"} }, want: never},
		{name: "connection of a follower", set: func(c *fakeCandidate) { c.lead.setLeader("c") }, want: never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newFakeCandidate()
				if tt.set != nil {
					tt.set(c)
				}
				c.loseLeader(t, time.Minute, tt.then)
				switch {
				case tt.want == never && len(c.stood) > 0:
					t.Errorf("stood for election: got %v, want never", c.stood)
				case tt.want != never && (len(c.stood) != 1 || c.stood[0] != tt.want):
					t.Errorf("stood for election: got %v, want once after %v", c.stood, tt.want)
				}
			})
		})
	}
}

// A candidate that has lost its election stands again, but only so often.
func TestCrashHint_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeCandidate()
		c.loses = true
		c.loseLeader(t, time.Hour, nil)
		if len(c.stood) != hintTries {
			t.Errorf("stood for election: got %d times, want %d", len(c.stood), hintTries)
		}
	})
}
