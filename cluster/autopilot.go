package cluster

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"
)

// Autopilot is how the leader manages the members by itself.
type Autopilot struct {
	// CleanupDeadServers removes dead masters that were replaced.
	CleanupDeadServers bool `json:"cleanup_dead_servers"`
	// ServerStabilizationTime is how long a new master must be healthy before it votes.
	ServerStabilizationTime time.Duration `json:"server_stabilization_time"`
	// LastContactThreshold is how long ago a healthy master last heard from the leader.
	LastContactThreshold time.Duration `json:"last_contact_threshold"`
	// MinQuorum is the number of voters that a cleanup never goes below.
	MinQuorum int `json:"min_quorum"`
	// CommandLevel is the highest level of commands that are proposed, although every
	// master may know higher ones; 0 = no limit. It keeps the way back open in an upgrade.
	CommandLevel int `json:"command_level,omitempty"`
}

// parsedAutopilot are the settings that a text has.
type parsedAutopilot struct {
	text string
	set  Autopilot
}

// Autopilot returns the settings of the cluster, or the defaults.
func (n *Node) Autopilot() Autopilot {
	a := Autopilot{
		CleanupDeadServers: true, ServerStabilizationTime: n.cfg.Timing.Stabilization,
		LastContactThreshold: 2 * n.cfg.Timing.Heartbeat, MinQuorum: n.formation.expected()/2 + 1,
	}
	text := n.setting(autopilotKey)
	if text == "" {
		return a
	}
	if last := n.autopilot.Load(); last != nil && last.text == text {
		return last.set
	}
	set := a
	if err := json.Unmarshal([]byte(text), &set); err != nil {
		n.log.Warn("autopilot's settings cannot be read; using the defaults", "error", err)
		return a
	}
	n.autopilot.Store(&parsedAutopilot{text, set})
	return set
}

// Setting returns the settings as those of a cluster: a key and its value.
func (a Autopilot) Setting() (key, value string, err error) {
	data, err := json.Marshal(a)
	return autopilotKey, string(data), err
}

// AutopilotConfig implements autopilot.ApplicationIntegration.
func (m *membership) AutopilotConfig() *autopilot.Config {
	a := m.node.Autopilot()
	return &autopilot.Config{
		CleanupDeadServers:      a.CleanupDeadServers,
		LastContactThreshold:    a.LastContactThreshold,
		MaxTrailingLogs:         maxLag,
		MinQuorum:               uint(a.MinQuorum),
		ServerStabilizationTime: a.ServerStabilizationTime,
	}
}

// promoter promotes as autopilot does, but not the members that shall not vote, and removes
// more carefully.
type promoter struct {
	autopilot.Promoter
	expect func() int
	// barred reports whether a member must not vote, now: autopilot's own state may be older
	// than an operator's decision.
	barred func(id raft.ServerID) bool
}

// CalculatePromotionsAndDemotions implements autopilot.Promoter.
func (p promoter) CalculatePromotionsAndDemotions(c *autopilot.Config, s *autopilot.State) autopilot.RaftChanges {
	changes := p.Promoter.CalculatePromotionsAndDemotions(c, s)
	changes.Promotions = slices.DeleteFunc(changes.Promotions, p.barred)
	return changes
}

// FilterFailedServerRemovals implements autopilot.Promoter. It removes a dead
// voter only when it has been replaced: when there are as many healthy voters
// without it as the cluster was formed with. Removing it earlier gains nothing,
// and loses the chance that it returns and completes a majority. (MinQuorum
// still applies; it bounds autopilot's removals when voters die in a row.)
func (p promoter) FilterFailedServerRemovals(
	_ *autopilot.Config, state *autopilot.State, failed *autopilot.FailedServers,
) *autopilot.FailedServers {
	gone := slices.Clone(failed.StaleVoters)
	for _, s := range failed.FailedVoters {
		gone = append(gone, s.ID)
	}
	healthy := 0
	for id, s := range state.Servers {
		// The state may be older than the failure.
		if s.HasVotingRights() && s.Health.Healthy && !slices.Contains(gone, id) {
			healthy++
		}
	}
	if healthy < p.expect() {
		failed.FailedVoters, failed.StaleVoters = nil, nil
	}
	return failed
}
