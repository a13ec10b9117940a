package ffrtmp

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
}
