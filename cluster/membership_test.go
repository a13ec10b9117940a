package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// A dead voter is not its own replacement: autopilot learns of a failure at once,
// but remembers everyone's health for a second longer.
func TestPromoter_FilterFailedServerRemovals(t *testing.T) {
	const expect = 3
	p := promoter{Promoter: autopilot.DefaultPromoter(), expect: func() int { return expect }}
	for _, tt := range []struct {
		name    string
		healthy []raft.ServerID // as last seen
		removed bool
	}{
		{"healthy a second ago", []raft.ServerID{"a", "b", "dead"}, false},
		{"known to be unhealthy", []raft.ServerID{"a", "b"}, false},
		{"replaced", []raft.ServerID{"a", "b", "c"}, true},
		{"replaced, healthy a second ago", []raft.ServerID{"a", "b", "c", "dead"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state := &autopilot.State{Servers: map[raft.ServerID]*autopilot.ServerState{
				"dead": {Server: autopilot.Server{ID: "dead"}, State: autopilot.RaftVoter},
			}}
			for _, id := range tt.healthy {
				state.Servers[id] = &autopilot.ServerState{
					Server: autopilot.Server{ID: id}, State: autopilot.RaftVoter,
					Health: autopilot.ServerHealth{Healthy: true},
				}
			}
			got := p.FilterFailedServerRemovals(nil, state, &autopilot.FailedServers{
				FailedVoters: []*autopilot.Server{{ID: "dead"}}, StaleVoters: []raft.ServerID{"dead"},
			})
			failed, stale := len(got.FailedVoters) > 0, len(got.StaleVoters) > 0
			if failed != tt.removed || stale != tt.removed {
				t.Errorf("got removed %v (failed) and %v (stale), want %v", failed, stale, tt.removed)
			}
		})
	}
}

// A member that must not vote is not promoted, although autopilot's state does not know it yet.
func TestPromoter_Barred(t *testing.T) {
	p := promoter{
		Promoter: autopilot.DefaultPromoter(),
		barred:   func(id raft.ServerID) bool { return id == "barred" },
	}
	state := &autopilot.State{Servers: map[raft.ServerID]*autopilot.ServerState{}}
	for _, id := range []raft.ServerID{"barred", "new"} {
		state.Servers[id] = &autopilot.ServerState{
			Server: autopilot.Server{ID: id, NodeType: autopilot.NodeVoter}, State: autopilot.RaftNonVoter,
			Health: autopilot.ServerHealth{Healthy: true},
		}
	}
	got := p.CalculatePromotionsAndDemotions(&autopilot.Config{}, state).Promotions
	if len(got) != 1 || got[0] != "new" {
		t.Errorf("got promotions %v, want the new master only", got)
	}
}
