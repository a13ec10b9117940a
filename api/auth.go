package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Principal is who makes a request. Idempotency keys belong to its name.
type Principal struct {
	Name      string // id of the key, or bootstrapName
	Scopes    []ffrtmp.Scope
	rateLimit int             // of the key; 0: the default
	live      context.Context // ends when the key is revoked; nil: never
	expires   time.Time       // zero: never
	kind      ffrtmp.KeyKind
}

// bootstrapName is the principal of the keys that a master is started with.
const bootstrapName = "bootstrap"

// may reports whether the principal has a scope.
func (p *Principal) may(needed ffrtmp.Scope) bool {
	for _, s := range p.Scopes {
		if s.Allows(needed) {
			return true
		}
	}
	return false
}

// Authenticator returns who makes a request, or an Unauthenticated error. It is an interface
// because a master replaces its bootstrap key while it runs.
type Authenticator interface {
	Authenticate(r *http.Request) (Principal, error)
}

// keys accepts the keys of the replicated state, by this master's clock, and bootstrap keys. It
// keeps only hashes of bootstrap keys.
type keys struct {
	state     *fsm.FSM
	bootstrap [][sha256.Size]byte
}

// Keys returns an Authenticator for the keys of the state and for bootstrap keys, which have
// the scope admin. Without a bootstrap key, every request has it.
func Keys(state *fsm.FSM, bootstrap ...string) Authenticator {
	k := &keys{state: state}
	for _, key := range bootstrap {
		k.bootstrap = append(k.bootstrap, sha256.Sum256([]byte(key)))
	}
	return k
}

// errUnknownKey marks an error that a newer state may not return: the key may be new.
var errUnknownKey = errors.New("key not found in this master's state")

// Authenticate compares with every bootstrap key and with one key of the state, even if the id
// does not exist, so that its duration reveals nothing.
func (k *keys) Authenticate(r *http.Request) (Principal, error) {
	admin := Principal{Name: bootstrapName, Scopes: []ffrtmp.Scope{ffrtmp.ScopeAdmin}}
	if len(k.bootstrap) == 0 {
		return admin, nil
	}
	token, err := bearer(r)
	if err != nil {
		return Principal{}, err
	}
	sum, master := sha256.Sum256([]byte(token)), 0
	for i := range k.bootstrap {
		master |= subtle.ConstantTimeCompare(sum[:], k.bootstrap[i][:])
	}
	id, secret, formed := strings.Cut(token, ".")
	c, known := k.state.Credential(id)
	sum = sha256.Sum256([]byte(secret))
	match := subtle.ConstantTimeCompare(sum[:], c.Hash[:]) == 1
	switch {
	case master == 1:
		return admin, nil
	case !known || !match:
		refused := ffrtmp.Errorf(ffrtmp.Unauthenticated, "the API key is not valid")
		if formed {
			refused.Err = errUnknownKey
		}
		return Principal{}, refused
	}
	switch c.StatusAt(time.Now()) {
	case ffrtmp.KeyRevoked:
		return Principal{}, ffrtmp.Errorf(ffrtmp.Unauthenticated, "the API key has been revoked")
	case ffrtmp.KeyExpired:
		return Principal{}, ffrtmp.Errorf(ffrtmp.Unauthenticated, "the API key expired at %s",
			c.ExpiresAt.Format(time.RFC3339))
	}
	return Principal{
		Name: c.ID, Scopes: c.Scopes, rateLimit: c.RateLimit, live: c.Live, expires: c.ExpiresAt,
		kind: c.Kind,
	}, nil
}

// bearer returns a request's key.
func bearer(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", ffrtmp.Errorf(ffrtmp.Unauthenticated, "Missing Authorization header")
	}
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", ffrtmp.Errorf(ffrtmp.Unauthenticated, "the Authorization header must be \"Bearer <key>\"")
	}
	return strings.TrimSpace(token), nil
}

// authenticate returns who makes a request. It waits for an unknown key, which may not have
// been replicated to this master yet, unless this master leads and has applied everything.
func (s *Server) authenticate(r *http.Request) (Principal, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.keyWait)
	defer cancel()
	for {
		index := s.cfg.State.Index()
		p, err := s.cfg.Keys.Authenticate(r)
		current := s.cfg.Cluster.IsLeader() && s.cfg.Leader.Leading()
		if !errors.Is(err, errUnknownKey) || current {
			return p, err
		}
		if s.cfg.State.WaitIndex(ctx, index+1) == nil {
			continue
		}
		if behind := s.cfg.Cluster.Ready(); behind != nil {
			return p, ffrtmp.Errorf(ffrtmp.NoLeader, "cannot verify the API key yet: %w", behind)
		}
		return p, err
	}
}

// admit authenticates a request and applies the key's rate limit.
func (s *Server) admit(r *http.Request, agents bool) (Principal, error) {
	p, err := s.authenticate(r)
	if err == nil && !isForwarded(r.Context()) {
		err = s.rates.take(&p, agents)
	}
	return p, err
}

// recordFailure logs and counts a request that could not be authenticated. asks says that it only asked whether it
// needs a key, as a browser does on its first visit.
func (s *Server) recordFailure(r *http.Request, asks bool, err error) {
	if ffrtmp.CodeOf(err) != ffrtmp.Unauthenticated || asks && r.Header.Get("Authorization") == "" {
		return
	}
	s.metrics.authFailures.Inc()
	id := requestIDOf(r.Context())
	s.authFailures.Do(func() {
		s.cfg.Logger.Warn("authentication failed", "source", sourceOf(r), "request_id", id, "route", r.Pattern,
			"error", err)
	})
}
