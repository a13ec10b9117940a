package ffrtmp

// NewGossipKey is the body of POST /cluster/gossip-keys.
type NewGossipKey struct {
	Key string `json:"key,omitempty"` // base64 of 16, 24 or 32 bytes; "": the leader generates one
}

// GossipKey is a key of the masters' gossip, without its secret.
type GossipKey struct {
	Fingerprint string   `json:"fingerprint"`
	Primary     bool     `json:"primary"`    // the leader encrypts with it; the masters also decrypt with the others
	Masters     []string `json:"masters"`    // names of the masters that have it
	PrimaryOn   []string `json:"primary_on"` // names of the masters that encrypt with it
}

// GossipKeyList is the response of GET /cluster/gossip-keys.
type GossipKeyList struct {
	Keys        []GossipKey `json:"keys"`
	Count       int         `json:"count"`
	Masters     int         `json:"masters"`     // of the cluster
	Unreachable []string    `json:"unreachable"` // names of the masters that did not answer
}

// GossipKeyChange is the response to a change of the gossip keys.
type GossipKeyChange struct {
	Status      string   `json:"status"` // installed, used, removed, or unchanged
	Fingerprint string   `json:"fingerprint"`
	Key         string   `json:"key,omitempty"`     // only if the leader has generated it
	Missing     []string `json:"missing,omitempty"` // names of the masters that do not know yet
}
