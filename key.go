package ffrtmp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is what a key allows.
type Scope string

// Scopes. ScopeAdmin allows everything, ScopeSubmit reading, too.
const (
	ScopeAdmin  Scope = "admin"  // keys, nodes, leadership, audit
	ScopeSubmit Scope = "submit" // submit jobs and act on them
	ScopeRead   Scope = "read"   // look at jobs, nodes and masters
	ScopeAgent  Scope = "agent"  // register, claim and report
)

// Scopes lists the scopes.
var Scopes = []Scope{ScopeAdmin, ScopeSubmit, ScopeRead, ScopeAgent}

// Allows reports whether a key with this scope may do what needs the given one.
func (s Scope) Allows(needed Scope) bool {
	return s == needed && needed != "" || s == ScopeAdmin || s == ScopeSubmit && needed == ScopeRead
}

// JoinScopes lists scopes with a separator between.
func JoinScopes(list []Scope, separator string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, separator)
}

// Bounds of keys.
const (
	MaxKeys      = 10_000              // live, expired and revoked ones together
	KeyKept      = 30 * 24 * time.Hour // how long an expired or revoked key stays on record, at least
	MaxKeyLife   = 3650 * 24 * time.Hour
	maxRateLimit = 100_000
)

// NewKey is the body of POST /keys.
type NewKey struct {
	Name      string   `json:"name"`
	Scopes    []Scope  `json:"scopes"`
	ExpiresIn Duration `json:"expires_in,omitzero"` // instead of ExpiresAt
	ExpiresAt Time     `json:"expires_at,omitzero"`
	RateLimit int      `json:"rate_limit,omitempty"` // requests a second to each master; 0: the masters' default
}

// Validate checks a new key and puts its scopes in order.
func (k *NewKey) Validate() error {
	switch {
	case k.Name == "":
		return FieldErrorf("name", "is required: say who will use the key")
	case len(k.Name) > 128 || strings.ContainsFunc(k.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return FieldErrorf("name", "must be at most 128 bytes without control characters")
	case len(k.Scopes) == 0:
		return FieldErrorf("scopes", "must name at least one of admin, submit, read and agent")
	case k.ExpiresIn != 0 && !k.ExpiresAt.IsZero():
		return FieldErrorf("expires_in", "cannot be combined with expires_at")
	case k.ExpiresIn < 0 || time.Duration(k.ExpiresIn) > MaxKeyLife:
		return FieldErrorf("expires_in", "must be more than 0s and at most %s", MaxKeyLife)
	case k.RateLimit < 0 || k.RateLimit > maxRateLimit:
		return FieldErrorf("rate_limit", "must be between 1 and %d requests a second, or 0 for the masters' default", maxRateLimit)
	}
	for i, s := range k.Scopes {
		if !slices.Contains(Scopes, s) {
			return FieldErrorf(fmt.Sprintf("scopes[%d]", i), "unknown value %q; use admin, submit, read or agent", s)
		}
	}
	k.Scopes = slices.DeleteFunc(slices.Clone(Scopes), func(s Scope) bool { return !slices.Contains(k.Scopes, s) })
	return nil
}

// KeyStatus says whether a key can be used.
type KeyStatus string

// Key states.
const (
	KeyActive  KeyStatus = "active"
	KeyExpired KeyStatus = "expired"
	KeyRevoked KeyStatus = "revoked"
)

// Key is what is shown of an API key.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Scopes    []Scope   `json:"scopes"`
	Status    KeyStatus `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"` // id of a key, or "bootstrap"
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RateLimit int       `json:"rate_limit,omitempty"`
}

// StatusAt is the key's status at a time.
func (k *Key) StatusAt(now time.Time) KeyStatus {
	switch {
	case !k.RevokedAt.IsZero():
		return KeyRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return KeyExpired
	}
	return KeyActive
}

// CreatedKey is the answer to POST /keys, the only one that shows the secret.
type CreatedKey struct {
	Key
	Secret string `json:"key"` // as it is sent: ID and secret, a dot between
}

// KeyList is the answer to GET /keys.
type KeyList struct {
	Keys  []Key `json:"keys"`
	Count int   `json:"count"`
}
