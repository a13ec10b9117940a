package ffrtmp

// ClaimRequest is the body of POST /jobs/claim.
type ClaimRequest struct {
	NodeID string   `json:"node_id"`
	Max    int      `json:"max"`
	Wait   Duration `json:"wait"`
}

// ClaimResponse holds the attempts that the node now holds, each with its lease.
type ClaimResponse struct {
	Jobs []Job `json:"jobs"`
}
