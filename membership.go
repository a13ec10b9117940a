package ffrtmp

import "time"

// Leadership is the body of POST /cluster/leader/transfer.
type Leadership struct {
	Member string `json:"member"` // id or name of the next leader; "": the leader chooses
}

// MemberChange is the response to a change of a member.
type MemberChange struct {
	Status   string   `json:"status"` // removed, promoted, demoted, or unchanged
	MemberID string   `json:"member_id"`
	Name     string   `json:"name"`
	Warnings []string `json:"warnings,omitempty"`
}

// Autopilot is how the leader manages the masters by itself.
type Autopilot struct {
	CleanupDeadServers      bool     `json:"cleanup_dead_servers"`      // remove dead masters that were replaced
	ServerStabilizationTime Duration `json:"server_stabilization_time"` // how long a new master waits to vote
	LastContactThreshold    Duration `json:"last_contact_threshold"`    // of a healthy master, with the leader
	MinQuorum               int      `json:"min_quorum"`                // voters that a cleanup leaves at least
	CommandLevel            int      `json:"command_level"`             // highest that is written; 0: no limit
}

// AutopilotChange is the body of PUT /cluster/autopilot: a field that is left out keeps its value.
type AutopilotChange struct {
	CleanupDeadServers      *bool     `json:"cleanup_dead_servers,omitempty"`
	ServerStabilizationTime *Duration `json:"server_stabilization_time,omitempty"`
	LastContactThreshold    *Duration `json:"last_contact_threshold,omitempty"`
	MinQuorum               *int      `json:"min_quorum,omitempty"`
	CommandLevel            *int      `json:"command_level,omitempty"`
}

// Validate checks the values that are set.
func (c *AutopilotChange) Validate() error {
	if c.CleanupDeadServers == nil && c.ServerStabilizationTime == nil && c.LastContactThreshold == nil &&
		c.MinQuorum == nil && c.CommandLevel == nil {
		return Errorf(Invalid, "at least one of cleanup_dead_servers, server_stabilization_time, "+
			"last_contact_threshold, min_quorum and command_level is required")
	}
	if d := c.ServerStabilizationTime; d != nil && (*d < 0 || time.Duration(*d) > 24*time.Hour) {
		return FieldErrorf("server_stabilization_time", "must be between 0s and 24h")
	}
	if d := c.LastContactThreshold; d != nil &&
		(time.Duration(*d) < 100*time.Millisecond || time.Duration(*d) > time.Hour) {
		return FieldErrorf("last_contact_threshold", "must be between 100ms and 1h")
	}
	if n := c.MinQuorum; n != nil && (*n < 1 || *n > 99) {
		return FieldErrorf("min_quorum", "must be between 1 and 99")
	}
	if n := c.CommandLevel; n != nil && (*n < 0 || *n > 9999) {
		return FieldErrorf("command_level", "must be between 0 and 9999")
	}
	return nil
}

// Apply changes the values that are set.
func (c *AutopilotChange) Apply(a *Autopilot) {
	if c.CleanupDeadServers != nil {
		a.CleanupDeadServers = *c.CleanupDeadServers
	}
	if c.ServerStabilizationTime != nil {
		a.ServerStabilizationTime = *c.ServerStabilizationTime
	}
	if c.LastContactThreshold != nil {
		a.LastContactThreshold = *c.LastContactThreshold
	}
	if c.MinQuorum != nil {
		a.MinQuorum = *c.MinQuorum
	}
	if c.CommandLevel != nil {
		a.CommandLevel = *c.CommandLevel
	}
}
