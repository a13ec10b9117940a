package api

import (
	"cmp"
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// sessionRequest is the body of POST /session.
type sessionRequest ffrtmp.NewSession

func (*sessionRequest) optional() {}

// openSession makes a key for the console: with the caller's name, scopes and rate limit, for 12 hours at most. With
// one_time it makes a key that can do this once.
func (s *Server) openSession(c *call, r *sessionRequest) (*answer, error) {
	kind, life := ffrtmp.KeySession, ffrtmp.SessionLife
	if r.OneTime {
		kind, life = ffrtmp.KeySignIn, ffrtmp.SignInLife
	}
	if c.principal.kind == ffrtmp.KeySession || c.principal.kind == kind {
		return nil, ffrtmp.Errorf(ffrtmp.Forbidden, "a session cannot open another one")
	}
	k := ffrtmp.NewKey{
		Name: s.identity(&c.principal).Name, Scopes: c.principal.Scopes, RateLimit: c.principal.rateLimit,
		ExpiresAt: ffrtmp.Time{Time: time.Now().Add(life)},
	}
	// A one-time key ends early; its session does not.
	if ends := c.principal.expires; c.principal.kind == "" && !ends.IsZero() && ends.Before(k.ExpiresAt.Time) {
		k.ExpiresAt.Time = ends
	}
	index, created, replayed, err := s.cfg.Proposer.CreateSession(c.Context(), c.idempotency, k, kind)
	if err != nil {
		return nil, err
	}
	created.Status = created.StatusAt(time.Now())
	a := &answer{status: http.StatusCreated, index: index, location: "/session", body: created}
	if replayed {
		a.status = http.StatusOK
	}
	return a, nil
}

// getSession returns who the caller is.
func (s *Server) getSession(c *call) (*answer, error) {
	return &answer{body: s.identity(&c.principal)}, nil
}

func (s *Server) identity(p *Principal) ffrtmp.Identity {
	k, _ := s.cfg.State.Credential(p.Name)
	return ffrtmp.Identity{
		KeyID: p.Name, Name: cmp.Or(k.Name, p.Name), Kind: p.kind, Scopes: p.Scopes, ExpiresAt: p.expires,
	}
}

// endSession revokes the session that makes the request.
func (s *Server) endSession(c *call, _ *nothing) (*answer, error) {
	if c.principal.kind != ffrtmp.KeySession {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "the API key is not a session; revoke it with DELETE /keys/{id}")
	}
	index, k, err := s.cfg.Proposer.RevokeKey(c.Context(), c.principal.Name)
	if err != nil {
		return nil, err
	}
	return &answer{index: index, body: revoked{ffrtmp.KeyRevoked, k.ID}}, nil
}
