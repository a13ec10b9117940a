package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

// leaderWait is how long a request waits for a leader before it is refused.
const leaderWait = 5 * time.Second

// errStopping ends what waits when the server is to shut down.
var errStopping = ffrtmp.Errorf(ffrtmp.NoLeader, "this master is shutting down")

// leaderPoll is how often a held request looks again when nobody says that the
// leader has changed: a new leader may not be ready at once.
const leaderPoll = 50 * time.Millisecond

// dispatch carries a request out: here when this master leads or may answer by
// itself, else on the leader. Without a leader, and when one is lost on the way
// and the request may be repeated, it is held for a new one, up to leaderWait: also
// while the server shuts down, for its successor may not have been heard of yet.
func (s *Server) dispatch(w http.ResponseWriter, c *call) {
	var held <-chan time.Time
	var givenUp <-chan struct{}
	if c.long() {
		givenUp = s.stopping.Done()
	}
	var unknown error // of an earlier try: what later ones say does not undo it
	for {
		changed := s.cfg.Cluster.LeaderChanged()
		done, err := s.try(w, c)
		if done {
			return
		}
		repeat := !c.forwarded && s.mayRepeat(c, err)
		if unknown == nil && ffrtmp.CodeOf(err) == ffrtmp.UnknownOutcome && !c.reads() {
			unknown = err
		}
		if unknown != nil {
			err = unknown
		}
		if !repeat {
			s.write(w, c, nil, err)
			return
		}
		if held == nil {
			timer := time.NewTimer(leaderWait)
			defer timer.Stop()
			held = timer.C
		}
		select {
		case <-changed:
		case <-time.After(leaderPoll):
		case <-held:
			s.write(w, c, nil, err)
			return
		case <-givenUp:
			s.write(w, c, nil, err)
			return
		case <-c.Context().Done():
			return
		}
	}
}

// reads reports whether the request changes nothing.
func (c *call) reads() bool { return c.Method == http.MethodGet || c.Method == http.MethodHead }

// long reports whether the request may wait for something to happen.
func (c *call) long() bool { return c.endpoint.long || c.consistency.index != 0 }

// mayRepeat reports whether a request that failed with err can be made again
// without having its effect twice.
func (s *Server) mayRepeat(c *call, err error) bool {
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.NoLeader:
		return true
	case ffrtmp.UnknownOutcome:
		return c.endpoint.repeat || c.idempotency.Key != "" || c.reads()
	}
	return false
}

// attempt tries once. Unless it is done, nothing has been written and err is one
// that another try may mend.
func (s *Server) try(w http.ResponseWriter, c *call) (done bool, err error) {
	here := c.endpoint.servedBy == anyMaster || c.endpoint.servedBy == byConsistency && s.local(c.consistency)
	switch {
	case here || s.cfg.Cluster.IsLeader():
		if !here && !s.cfg.Leader.Leading() {
			// Its state may lack what its predecessor has acknowledged.
			return false, ffrtmp.Errorf(ffrtmp.NoLeader, "the new leader is not ready yet")
		}
		a, err := s.serveHere(c)
		if code := ffrtmp.CodeOf(err); (code == ffrtmp.NoLeader || code == ffrtmp.UnknownOutcome) && !isIndexTimeout(err) {
			return false, err
		}
		s.write(w, c, a, err)
		return true, nil
	case c.forwarded:
		return false, ffrtmp.Errorf(ffrtmp.NoLeader, "this master does not lead")
	}
	return s.forward(w, c)
}

// leaderTransport makes requests of whoever leads by then.
type leaderTransport struct{ cluster Cluster }

// RoundTrip implements http.RoundTripper.
func (t leaderTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.cluster.LeaderTransport().RoundTrip(r)
}

// forward sends the request to the leader, in one hop, and passes the answer on.
func (s *Server) forward(w http.ResponseWriter, c *call) (done bool, err error) {
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	s.metrics.forwarded.Inc()
	resp, err := s.leader.RoundTrip(s.outgoing(ctx, c))
	switch {
	case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNotSent):
		return false, ffrtmp.Errorf(ffrtmp.NoLeader, "the cluster has no leader that can be reached: %w", err)
	case err != nil && c.long() && s.stopping.Err() != nil:
		return false, errStopping // every one of them may be repeated
	case err != nil:
		return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the connection to the leader broke; whether the request was carried out is not known: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the connection to the leader broke within its answer: %w", err)
		}
		if err := readProblem(body); !isIndexTimeout(err) {
			return false, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.passOn(w, c, resp)
}

// outgoing is the request as the leader gets it: the client's own, credential
// included, for the leader checks that itself.
func (s *Server) outgoing(ctx context.Context, c *call) *http.Request {
	out := &http.Request{
		Method:        c.Method,
		URL:           &url.URL{Scheme: "https", Host: "leader", Path: c.URL.Path, RawPath: c.URL.RawPath, RawQuery: c.URL.RawQuery},
		Host:          c.Host,
		Header:        http.Header{},
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)),
	}
	if len(c.body) == 0 {
		out.Body = http.NoBody
	}
	copyEndToEnd(out.Header, c.Header)
	dropForged(out.Header)
	out.Header.Set(requestIDHeader, c.id)
	out.Header.Set(sourceHeader, sourceOf(c.Request))
	out.Header.Set(forwardedHeader, s.cfg.Cluster.ID())
	return out.WithContext(ctx)
}

// firstPart is how much of an answer is read before any of it is passed on: when
// the leader dies before that, the client need not know.
const firstPart = 256 << 10

func (s *Server) passOn(w http.ResponseWriter, c *call, resp *http.Response) (done bool, err error) {
	var first []byte
	streamed := resp.Header.Get("Content-Type") == streamType
	if streamed {
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
			return true, err
		}
	} else {
		if first, err = io.ReadAll(io.LimitReader(resp.Body, firstPart)); err != nil {
			return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the connection to the leader broke within its answer: %w", err)
		}
	}
	header := w.Header()
	copyEndToEnd(header, resp.Header)
	w.WriteHeader(resp.StatusCode)
	out := newFlushWriter(w, streamed)
	if _, err = out.Write(first); err == nil {
		_, err = io.Copy(out, resp.Body)
	}
	if err != nil {
		// What is missing can only be told by cutting the connection.
		panic(http.ErrAbortHandler)
	}
	return true, nil
}

// readProblem is the error that the leader answered with.
func readProblem(body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the leader's answer could not be read")
	}
	return &ffrtmp.Error{Code: p.Code, Field: p.Field, Message: strings.TrimPrefix(p.Error, p.Field+": ")}
}

// untilStopping is the request's context; a long poll's also ends when the server
// is to shut down, and with the key that it was made with.
func (s *Server) untilStopping(c *call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.Context())
	if !c.long() {
		return ctx, cancel
	}
	stop := context.AfterFunc(s.stopping, cancel)
	release := func() { stop(); cancel() }
	if c.principal.live != nil {
		stopKey := context.AfterFunc(c.principal.live, cancel)
		release = func() { stopKey(); stop(); cancel() }
	}
	if c.principal.expires.IsZero() {
		return ctx, release
	}
	ctx, expire := context.WithDeadline(ctx, c.principal.expires)
	return ctx, func() { expire(); release() }
}
