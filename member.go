package ffrtmp

// Member is a master as seen by the one that answers.
type Member struct {
	ID            string `json:"id"`
	Address       string `json:"address"` // peer address
	APIURL        string `json:"api_url"`
	Role          string `json:"role"` // leader, follower, nonvoter
	Voter         bool   `json:"voter"`
	Healthy       bool   `json:"healthy"`
	LastContactMS int64  `json:"last_contact_ms"` // since the last contact with the leader; -1: never, or unreachable
	AppliedIndex  uint64 `json:"applied_index"`
	Version       string `json:"version"`
}
