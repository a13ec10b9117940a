package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// Autopilot hears at once of a failure, and keeps what it knew of everybody's health
// for a second more.
func TestDeadVoterIsNotItsOwnReplacement(t *testing.T) {
	const expect = 3
	p := promoter{autopilot.DefaultPromoter(), func() int { return expect }}
	for _, tc := range []struct {
		name    string
		healthy []raft.ServerID // as last seen
		removed bool
	}{
		{"it was healthy a second ago", []raft.ServerID{"a", "b", "dead"}, false},
		{"it is known to be unhealthy", []raft.ServerID{"a", "b"}, false},
		{"another has taken its place", []raft.ServerID{"a", "b", "c"}, true},
		{"the same, and it was healthy a second ago", []raft.ServerID{"a", "b", "c", "dead"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := &autopilot.State{Servers: map[raft.ServerID]*autopilot.ServerState{
				"dead": {Server: autopilot.Server{ID: "dead"}, State: autopilot.RaftVoter},
			}}
			for _, id := range tc.healthy {
				state.Servers[id] = &autopilot.ServerState{
					Server: autopilot.Server{ID: id}, State: autopilot.RaftVoter, Health: autopilot.ServerHealth{Healthy: true},
				}
			}
			failed := &autopilot.FailedServers{
				FailedVoters: []*autopilot.Server{{ID: "dead"}}, StaleVoters: []raft.ServerID{"dead"},
			}
			got := p.FilterFailedServerRemovals(nil, state, failed)
			if removed := len(got.FailedVoters) > 0; removed != tc.removed || removed != (len(got.StaleVoters) > 0) {
				t.Errorf("removed: %v and %v, want %v", got.FailedVoters, got.StaleVoters, tc.removed)
			}
		})
	}
}
