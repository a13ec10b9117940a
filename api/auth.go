package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"ffrtmp/job"
)

// Principal is who makes a request. Idempotency keys are kept apart by its name.
type Principal struct {
	Name   string
	Scopes []string
}

// Authenticator tells who makes a request, or returns an Unauthenticated error.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}

// adminScope allows everything.
const adminScope = "admin"

// bootstrapKeys accepts the keys that a master was started with. It keeps their
// hashes only, and compares each of them whatever the outcome, so that the time
// that it takes says nothing of a key.
type bootstrapKeys [][sha256.Size]byte

// BootstrapKeys returns an Authenticator for the given keys. Without any, every
// request is the administrator's.
func BootstrapKeys(keys ...string) Authenticator {
	var b bootstrapKeys
	for _, k := range keys {
		b = append(b, sha256.Sum256([]byte(k)))
	}
	return b
}

func (b bootstrapKeys) Authenticate(r *http.Request) (Principal, error) {
	admin := Principal{Name: "bootstrap", Scopes: []string{adminScope}}
	if len(b) == 0 {
		return admin, nil
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return Principal{}, job.Errorf(job.Unauthenticated, "Missing Authorization header")
	}
	scheme, key, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Principal{}, job.Errorf(job.Unauthenticated, "the Authorization header must be \"Bearer <key>\"")
	}
	sum, match := sha256.Sum256([]byte(strings.TrimSpace(key))), 0
	for i := range b {
		match |= subtle.ConstantTimeCompare(sum[:], b[i][:])
	}
	if match == 0 {
		return Principal{}, job.Errorf(job.Unauthenticated, "the API key is not valid")
	}
	return admin, nil
}
