package ffrtmp

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
