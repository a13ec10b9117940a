package ffrtmp

// Explanation is the response of GET /jobs/{id}/explain.
type Explanation struct {
	JobID    string            `json:"job_id"`
	Status   Status            `json:"status"`
	Summary  string            `json:"summary"`
	Attempts []Attempt         `json:"attempts"`
	Nodes    []NodeExplanation `json:"nodes,omitempty"` // pending jobs only: why each node does not run it
	Ahead    int               `json:"ahead"`           // number of pending jobs served before this one
}

// NodeExplanation explains why a node does not run a pending job. An empty reason means that
// it can.
type NodeExplanation struct {
	NodeID string `json:"node_id"`
	Name   string `json:"name"`
	Match  bool   `json:"match"` // it meets the job's requirements, if only it were free, online and eligible
	Reason string `json:"reason"`
}
