package ffrtmp

// Health is the response of GET /health.
type Health struct {
	Status  string   `json:"status"`
	Role    string   `json:"role"`
	NodeID  string   `json:"node_id"`
	Name    string   `json:"name"` // of the master
	Leader  string   `json:"leader"`
	Version string   `json:"version"`
	Reasons []string `json:"reasons,omitempty"` // why it is not ready or not the leader
	// Warnings are problems that make the master unhealthy if they are not fixed.
	Warnings []string `json:"warnings,omitempty"`
	Error    string   `json:"error,omitempty"` // set with Code if the response is an error
	Code     Code     `json:"code,omitempty"`
}
