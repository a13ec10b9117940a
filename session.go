package ffrtmp

import "time"

// Limits of sessions.
const (
	SessionLife = 12 * time.Hour
	SignInLife  = time.Minute    // of a one-time key
	MaxSessions = 100            // of one key; a new one replaces the oldest
	SessionKept = 24 * time.Hour // how long an ended session stays listed
)

// NewSession is the body of POST /session.
type NewSession struct {
	OneTime bool `json:"one_time,omitempty"` // make a key that opens one session instead
}

// Identity is the response of GET /session: who the caller is.
type Identity struct {
	KeyID     string    `json:"key_id"` // or "bootstrap"
	Name      string    `json:"name"`
	Kind      KeyKind   `json:"kind,omitempty"`
	Scopes    []Scope   `json:"scopes"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// May reports whether the caller has a scope.
func (i *Identity) May(needed Scope) bool {
	for _, s := range i.Scopes {
		if s.Allows(needed) {
			return true
		}
	}
	return false
}
