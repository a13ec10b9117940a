package ffrtmp

// ClusterStatus is the answer to GET /cluster.
type ClusterStatus struct {
	ClusterID    string   `json:"cluster_id"`
	Name         string   `json:"name"`
	Leader       string   `json:"leader"` // node id, "" when there is none
	LeaderURL    string   `json:"leader_url"`
	Term         uint64   `json:"term"`
	CommitIndex  uint64   `json:"commit_index"`
	AppliedIndex uint64   `json:"applied_index"`
	Members      []Member `json:"members"`
}

// Member is one master.
type Member struct {
	ID            string `json:"id"`
	Address       string `json:"address"` // peer address
	APIURL        string `json:"api_url"`
	Role          string `json:"role"` // leader, follower, nonvoter
	Voter         bool   `json:"voter"`
	Healthy       bool   `json:"healthy"`
	LastContactMS int64  `json:"last_contact_ms"` // since it heard from the leader; -1 when it never did, or does not answer
	AppliedIndex  uint64 `json:"applied_index"`
	Version       string `json:"version"`
}

// Health is the answer to GET /health.
type Health struct {
	Status  string   `json:"status"`
	Role    string   `json:"role"`
	NodeID  string   `json:"node_id"`
	Leader  string   `json:"leader"`
	Version string   `json:"version"`
	Reasons []string `json:"reasons,omitempty"` // why it is not ready, or does not lead
	// Warnings say what will become a reason if nobody sees to it.
	Warnings []string `json:"warnings,omitempty"`
	Error    string   `json:"error,omitempty"` // with Code, as in every answer that is no success
	Code     Code     `json:"code,omitempty"`
}

// Explanation is the answer to GET /jobs/{id}/explain.
type Explanation struct {
	JobID    string            `json:"job_id"`
	Status   Status            `json:"status"`
	Summary  string            `json:"summary"`
	Attempts []Attempt         `json:"attempts"`
	Nodes    []NodeExplanation `json:"nodes,omitempty"` // of a pending job: what each node lacks
	Ahead    int               `json:"ahead"`           // pending jobs that are served first
}

// NodeExplanation says why a node does not run a pending job; an empty reason
// means that it can.
type NodeExplanation struct {
	NodeID string `json:"node_id"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
