package ffrtmp

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
