package ffrtmp

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scope is a permission of an API key.
type Scope string

// Scopes. ScopeAdmin allows everything; ScopeSubmit includes ScopeRead.
const (
	ScopeAdmin  Scope = "admin"  // keys, nodes, leadership, audit
	ScopeSubmit Scope = "submit" // submit, change, cancel, pause, resume and retry jobs
	ScopeRead   Scope = "read"   // read jobs, nodes and masters
	ScopeAgent  Scope = "agent"  // register, claim and report
)

// Scopes lists all scopes.
var Scopes = []Scope{ScopeAdmin, ScopeSubmit, ScopeRead, ScopeAgent}

// Allows reports whether a key with this scope may do what requires the needed one.
func (s Scope) Allows(needed Scope) bool {
	return s == needed && needed != "" || s == ScopeAdmin || s == ScopeSubmit && needed == ScopeRead
}

// JoinScopes joins scopes with a separator.
func JoinScopes(list []Scope, separator string) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, separator)
}

// Limits of keys.
const (
	MaxKeys      = 10_000                // active, expired and revoked keys together
	KeyKept      = 30 * 24 * time.Hour   // minimum time for which an expired or revoked key stays listed
	MaxKeyLife   = 3650 * 24 * time.Hour // longest time to expiry
	maxRateLimit = 100_000               // requests per second
)

// NewKey is the body of POST /keys.
type NewKey struct {
	Name      string   `json:"name"`
	Scopes    []Scope  `json:"scopes"`
	ExpiresIn Duration `json:"expires_in,omitzero"` // not with ExpiresAt
	ExpiresAt Time     `json:"expires_at,omitzero"`
	RateLimit int      `json:"rate_limit,omitempty"` // requests per second and master; 0: the masters' default
}

// Validate checks a new key and sorts its scopes.
func (k *NewKey) Validate() error {
	switch {
	case k.Name == "":
		return FieldErrorf("name", "is required: name the user of the key")
	case len(k.Name) > 128 || strings.ContainsFunc(k.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return FieldErrorf("name", "must be at most 128 bytes without control characters")
	case len(k.Scopes) == 0:
		return FieldErrorf("scopes", "must name at least one of admin, submit, read and agent")
	case k.ExpiresIn != 0 && !k.ExpiresAt.IsZero():
		return FieldErrorf("expires_in", "cannot be combined with expires_at")
	case k.ExpiresIn < 0 || time.Duration(k.ExpiresIn) > MaxKeyLife:
		return FieldErrorf("expires_in", "must be more than 0s and at most %s", MaxKeyLife)
	case k.RateLimit < 0 || k.RateLimit > maxRateLimit:
		return FieldErrorf("rate_limit", "must be 0 (the masters' default) to %d requests per second", maxRateLimit)
	}
	for i, s := range k.Scopes {
		if !slices.Contains(Scopes, s) {
			return FieldErrorf(fmt.Sprintf("scopes[%d]", i), "unknown value %q; use admin, submit, read or agent", s)
		}
	}
	k.Scopes = slices.DeleteFunc(slices.Clone(Scopes), func(s Scope) bool { return !slices.Contains(k.Scopes, s) })
	return nil
}

// KeyStatus is the state of a key. Only an active key is accepted.
type KeyStatus string

// Key states.
const (
	KeyActive  KeyStatus = "active"
	KeyExpired KeyStatus = "expired"
	KeyRevoked KeyStatus = "revoked"
)

// KeyKind distinguishes the keys of a web session from those that users manage.
type KeyKind string

// Kinds of keys. A user's own key has none.
const (
	KeySession KeyKind = "session" // of somebody who is signed in to the console
	KeySignIn  KeyKind = "sign_in" // opens one session, once, and allows nothing else
)

// Key describes an API key, without its secret. Times are UTC. A key with a kind has the name of the key that made it,
// and is revoked with it.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Kind      KeyKind   `json:"kind,omitempty"`
	Scopes    []Scope   `json:"scopes"`
	Status    KeyStatus `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"` // key id, or "bootstrap"
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	RateLimit int       `json:"rate_limit,omitempty"`
}

// StatusAt returns the key's status at the given time.
func (k *Key) StatusAt(now time.Time) KeyStatus {
	switch {
	case !k.RevokedAt.IsZero():
		return KeyRevoked
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return KeyExpired
	}
	return KeyActive
}

// CreatedKey is the response of POST /keys, the only one that contains the secret.
type CreatedKey struct {
	Key
	Secret string `json:"key"` // value of the Authorization header: ID.SECRET
}

// KeyList is the response of GET /keys.
type KeyList struct {
	Keys  []Key `json:"keys"`
	Count int   `json:"count"`
}
