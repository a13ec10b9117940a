package ffrtmp

import "time"

// MemberState is what a master is in its cluster.
type MemberState string

// The states of a master.
const (
	MemberLeader   MemberState = "leader"
	MemberFollower MemberState = "follower"
	MemberNonvoter MemberState = "nonvoter"
	MemberDead     MemberState = "dead" // not running, or it cannot be reached
)

// Member is a master as seen by the one that answers.
type Member struct {
	ID            string      `json:"id"`
	Name          string      `json:"name"`    // unique in the cluster
	Address       string      `json:"address"` // peer address
	APIURL        string      `json:"api_url"`
	Role          string      `json:"role"`  // leader, follower, nonvoter
	State         MemberState `json:"state"` // the role, or dead
	Since         time.Time   `json:"since"` // of the state, as far as the master that answers has seen
	Voter         bool        `json:"voter"`
	Healthy       bool        `json:"healthy"`
	LastContactMS int64       `json:"last_contact_ms"` // since the leader's last message; -1: never, or unreachable
	AppliedIndex  uint64      `json:"applied_index"`   // of a dead member: the last one known
	Version       string      `json:"version"`
	CommandLevel  int         `json:"command_level"` // the highest that it knows
	// What the member says of itself; left out if it does not answer, or has none.
	DiskFreeBytes uint64               `json:"disk_free_bytes,omitempty"` // for its Raft log
	SnapshotAt    time.Time            `json:"snapshot_at,omitzero"`      // when its newest snapshot was made
	Certificates  map[string]time.Time `json:"certificates,omitempty"`    // when they expire
}

// LeaderChange is when a master learned of a new leader, or that there is none.
type LeaderChange struct {
	Time     time.Time `json:"time"`
	LeaderID string    `json:"leader_id,omitempty"`
	Name     string    `json:"name,omitempty"`
}
