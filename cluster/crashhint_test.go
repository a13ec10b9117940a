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

// hintWorld is the crash hint of voter b in a cluster of a, b and c, whose
// leader a has lost its connection.
type hintWorld struct {
	*crashHint
	started  time.Time
	stood    []time.Duration // when b stood, since the connection broke
	probeErr error
	logs     map[string]uint64 // last index by member that answers
	raft     raft.RaftState
}

func newHintWorld() *hintWorld {
	w := &hintWorld{
		probeErr: unix.ECONNREFUSED, raft: raft.Follower,
		logs: map[string]uint64{"b": 10, "c": 10}, started: time.Now(),
	}
	lead := newLeadership("b", func(bool) {})
	lead.setLeader("a")
	h := newCrashHint("b", lead, hclog.NewNullLogger())
	h.probe = func(context.Context, string) error { return w.probeErr }
	h.voters = func() []string { return []string{"a", "b", "c"} }
	h.state = func() raft.RaftState { return w.raft }
	h.last = func() (term, index uint64) { return 2, w.logs["b"] }
	h.status = func(_ context.Context, id string) (status, error) {
		index, ok := w.logs[id]
		if !ok {
			return status{}, errors.New("no answer")
		}
		return status{LastTerm: 2, LastIndex: index}, nil
	}
	h.stand = func() error {
		w.stood = append(w.stood, time.Since(w.started))
		w.raft = raft.Candidate
		return nil
	}
	w.crashHint = h
	return w
}

func TestCrashHint(t *testing.T) {
	candidate := func(index uint64) *raft.Observation {
		return &raft.Observation{Data: raft.RequestVoteRequest{
			RPCHeader: raft.RPCHeader{ID: []byte("c")}, LastLogTerm: 2, LastLogIndex: index,
		}}
	}
	never := time.Duration(-1)
	tests := []struct {
		name string
		set  func(*hintWorld)
		then func(*hintWorld) // while b waits for its turn
		want time.Duration    // when b first stands
	}{
		{name: "equal logs, smaller id", want: 0},
		{name: "newest log", set: func(w *hintWorld) { w.logs["c"] = 9 }, want: 0},
		{name: "other voter does not answer", set: func(w *hintWorld) { delete(w.logs, "c") }, want: 0},
		{name: "older log", set: func(w *hintWorld) { w.logs["c"] = 11 }, want: hintStagger},
		{name: "no leader is known any more", set: func(w *hintWorld) { w.lead.setLeader("") }, want: 0},
		{
			name: "older log, but another leads", set: func(w *hintWorld) { w.logs["c"] = 11 },
			then: func(w *hintWorld) { w.lead.setLeader("c") }, want: never,
		},
		{
			name: "candidate that cannot win", set: func(w *hintWorld) { w.logs["c"] = 11 },
			then: func(w *hintWorld) { w.lead.setLeader(""); w.observe(candidate(9)) }, want: hintStagger / 2,
		},
		{
			name: "candidate that may win", set: func(w *hintWorld) { w.logs["c"] = 11 },
			then: func(w *hintWorld) { w.lead.setLeader(""); w.observe(candidate(11)) }, want: hintStagger/2 + hintStagger,
		},
		{name: "port is open", set: func(w *hintWorld) { w.probeErr = nil }, want: never},
		{name: "host is gone", set: func(w *hintWorld) { w.probeErr = context.DeadlineExceeded }, want: never},
		{name: "leader itself", set: func(w *hintWorld) { w.raft = raft.Leader }, want: never},
		{name: "non-voter", set: func(w *hintWorld) { w.voters = func() []string { return []string{"a", "c"} } }, want: never},
		{name: "connection of another than the leader", set: func(w *hintWorld) { w.lead.setLeader("c") }, want: never},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newHintWorld()
				if tt.set != nil {
					tt.set(w)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { w.run(ctx); close(done) }()
				w.connectionBroken("a")
				if tt.then != nil {
					<-time.After(hintStagger / 2) // virtual: it is the moment that matters
					tt.then(w)
				}
				<-time.After(time.Minute)
				cancel()
				<-done
				switch {
				case tt.want == never && len(w.stood) > 0:
					t.Errorf("stood after %v, want never", w.stood)
				case tt.want != never && (len(w.stood) != 1 || w.stood[0] != tt.want):
					t.Errorf("stood after %v, want once after %v", w.stood, tt.want)
				}
			})
		})
	}
}

// A candidate that has lost follows again; the hint stands for it anew, but not
// for ever.
func TestCrashHintIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHintWorld()
		stand := w.stand
		w.stand = func() error { err := stand(); w.raft = raft.Follower; return err }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { w.run(ctx); close(done) }()
		w.connectionBroken("a")
		<-time.After(time.Hour)
		cancel()
		<-done
		if len(w.stood) != hintTries {
			t.Errorf("stood %d times, want %d", len(w.stood), hintTries)
		}
	})
}
