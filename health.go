package ffrtmp

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
