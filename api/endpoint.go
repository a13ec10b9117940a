package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

// Largest bodies. A batch holds up to ffrtmp.MaxBatch jobs.
const (
	maxBody      = 8 << 20
	maxBatchBody = 64 << 20
)

// servedBy is which master may serve a request.
type servedBy int

const (
	leaderOnly    servedBy = iota // a follower forwards the request
	byConsistency                 // the leader, or with ?stale any master
	anyMaster                     // each master for itself
)

// endpoint is one route: what it requires, and the function that serves it.
type endpoint struct {
	pattern  string
	servedBy servedBy
	open     bool         // needs no key
	scope    ffrtmp.Scope // that a key must have
	query    []string     // parameters, besides those of byConsistency
	agents   bool         // a key with the scope agent is accepted, too
	signIn   bool         // a one-time key is accepted, too
	asks     bool         // whether a key is needed: a request without one is refused, but is no failure
	audit    bool         // recorded in the audit log
	maxBody  int64        // 0: maxBody; a larger body may take longer
	upload   bool         // the body is a file of any length; see upload.go
	long     bool         // waits or streams: has a longer time limit, and ends at a shutdown
	repeat   bool         // harmless to repeat, even without an idempotency key
	serve    func(*call) (*answer, error)
}

// call is one request on its way through the API.
type call struct {
	*http.Request
	endpoint    *endpoint
	id          string
	principal   Principal
	forwarded   bool // by another master; not forwarded again
	body        []byte
	upload      *upload // instead of body, or nil
	idempotency fsm.Idempotency
	consistency consistency
}

// nothing is the body of endpoints that take none, or an empty object.
type nothing struct{}

func (*nothing) optional() {}

// with decodes and validates a body for an endpoint's function.
func with[In any](f func(c *call, in *In) (*answer, error)) func(*call) (*answer, error) {
	return func(c *call) (*answer, error) {
		in := new(In)
		if _, may := any(in).(interface{ optional() }); !may || len(c.body) > 0 {
			if err := jsonbody.Decode(c.body, in); err != nil {
				return nil, err
			}
		}
		if v, ok := any(in).(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				return nil, err
			}
		}
		return f(c, in)
	}
}

// handler serves an endpoint's requests, here or on the leader.
func (s *Server) handler(e *endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, endpoint: e, id: requestIDOf(r.Context()), forwarded: isForwarded(r.Context())}
		if err := s.prepare(w, c); err != nil { //nolint:contextcheck // c is the request, with its context
			writeError(w, err)
			return
		}
		if c.upload != nil {
			defer c.upload.Close()
		}
		s.dispatch(w, c) //nolint:contextcheck // as above
	})
}

// prepare reads a request and checks all that does not depend on its endpoint.
func (s *Server) prepare(w http.ResponseWriter, c *call) (err error) {
	if !c.endpoint.open {
		agents := c.endpoint.agents || c.endpoint.scope == ffrtmp.ScopeAgent
		if c.principal, err = s.admit(c.Request, agents); err != nil {
			s.recordFailure(c.Request, c.endpoint.asks, err)
			return err
		}
		if err := c.endpoint.allows(&c.principal); err != nil {
			return err
		}
	}
	if c.endpoint.audit {
		actor := fsm.Actor{Principal: c.principal.Name, Source: sourceOf(c.Request), RequestID: c.id}
		c.Request = c.WithContext(fsm.WithActor(c.Context(), actor))
	}
	if err := c.endpoint.checkQuery(c.URL.RawQuery); err != nil {
		return err
	}
	if c.endpoint.servedBy == byConsistency {
		if c.consistency, err = parseConsistency(c.URL.Query()); err != nil {
			return err
		}
	}
	if c.long() || c.endpoint.maxBody != 0 {
		// The endpoint bounds its own waits. The deadline of each write disconnects a client
		// that reads too slowly.
		control := http.NewResponseController(w)
		if err := errors.Join(control.SetReadDeadline(time.Now().Add(longTimeout)),
			control.SetWriteDeadline(time.Now().Add(longTimeout))); err != nil {
			return err
		}
	}
	if c.endpoint.upload {
		return s.receive(w, c)
	}
	if c.body, err = readBody(w, c.Request, c.endpoint.maxBody); err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request)
	if err != nil {
		return err
	}
	if key != "" {
		hash, err := fingerprint(c.Request, c.body)
		if err != nil {
			return err
		}
		c.idempotency = fsm.Idempotency{Principal: c.principal.Name, Key: key, Hash: hash}
	}
	return nil
}

// allows returns a Forbidden error that names the missing scope.
func (e *endpoint) allows(p *Principal) error {
	if p.kind == ffrtmp.KeySignIn && !e.signIn {
		return ffrtmp.Errorf(ffrtmp.Forbidden, "a one-time key can only open a session (POST /session)")
	}
	if p.may(e.scope) || e.agents && p.may(ffrtmp.ScopeAgent) {
		return nil
	}
	return ffrtmp.Errorf(ffrtmp.Forbidden, "this needs a key with the scope %s; this one has %s", e.scope,
		ffrtmp.JoinScopes(p.Scopes, ", "))
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if limit == 0 {
		limit = maxBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		drain(w, r.Body)
		return nil, ffrtmp.Errorf(ffrtmp.TooLarge, "the body is longer than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The write deadline ends at about the same time. An error means that the client is gone.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(drainTime))
		return nil, &ffrtmp.Error{Code: ffrtmp.RequestTimeout, Message: "the body did not arrive in time", Err: err}
	case err != nil: // its text may contain an internal address
		return nil, &ffrtmp.Error{Code: ffrtmp.Invalid, Message: "the body is incomplete", Err: err}
	}
	return body, nil
}

// Bounds on reading a body that is refused for its length.
const (
	drainBytes = 64 << 20
	drainTime  = 5 * time.Second
)

// drain reads the rest of a refused body, within bounds: closing a connection with unread
// data resets it, and a client that is still writing would not see the answer.
func drain(w http.ResponseWriter, body io.Reader) {
	if http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime)) == nil {
		_, _ = io.CopyN(io.Discard, body, drainBytes) // best effort
	}
}

// serveHere runs the endpoint on this master.
func (s *Server) serveHere(c *call) (*answer, error) {
	index := uint64(0)
	if c.endpoint.servedBy == byConsistency {
		ctx, cancel := s.untilStopping(c)
		err := s.prepareRead(ctx, c.consistency)
		cancel()
		if err != nil {
			return nil, err
		}
		index = s.cfg.State.Index()
	}
	a, err := c.endpoint.serve(c)
	if err == nil && a.index == 0 {
		a.index = index
	}
	return a, err
}
