package ffrtmp

import "time"

// ClusterStatus is the response of GET /cluster.
type ClusterStatus struct {
	ClusterID    string   `json:"cluster_id"`
	Name         string   `json:"name"`
	Leader       string   `json:"leader"` // master id; "" without a leader
	LeaderName   string   `json:"leader_name"`
	LeaderURL    string   `json:"leader_url"`
	Term         uint64   `json:"term"`
	CommitIndex  uint64   `json:"commit_index"`
	AppliedIndex uint64   `json:"applied_index"`
	CommandLevel int      `json:"command_level"` // of the commands that are written; see docs/operations.md
	Members      []Member `json:"members"`
	Warnings     []string `json:"warnings,omitempty"` // such as an even number of voters
	Backups      *Backups `json:"backups,omitempty"`  // nil: the master writes none on a schedule
	// LeaderChanges are the latest that the master that answers has seen since it started, the newest first.
	LeaderChanges []LeaderChange `json:"leader_changes,omitempty"`
}

// Backups is how scheduled backups go, as far as the answering master knows. The leader writes them.
type Backups struct {
	Interval    Duration  `json:"interval"`
	LastSuccess time.Time `json:"last_success,omitzero"` // of the newest backup; zero: none is known
	LastBytes   int64     `json:"last_bytes"`
	Next        time.Time `json:"next,omitzero"`         // when one is due; zero: this master does not lead
	LastFailure time.Time `json:"last_failure,omitzero"` // since then; zero: none
	Error       string    `json:"error,omitempty"`       // of that failure
}
