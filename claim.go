package ffrtmp

// ClaimRequest is the body of POST /jobs/claim: a request for up to Max jobs. With Wait, the
// master answers when there is one, or after Wait.
type ClaimRequest struct {
	NodeID string   `json:"node_id"`
	Max    int      `json:"max"`
	Wait   Duration `json:"wait"`
}

// ClaimResponse holds the claimed jobs, each with its attempt number and lease.
type ClaimResponse struct {
	Jobs []Job `json:"jobs"`
}
