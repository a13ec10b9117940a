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

// errStopping ends long polls at a shutdown.
var errStopping = ffrtmp.Errorf(ffrtmp.NoLeader, "this master is shutting down")

// leaderPoll is how often a waiting request tries again without a change of leader: a new
// leader may not be ready at once.
const leaderPoll = 50 * time.Millisecond

// dispatch serves a request here, when this master leads or may answer by itself, else on
// the leader. Without a leader, and when the leader is lost on the way and the request may
// be repeated, it waits up to leaderWait for a new one. It also does while the server shuts
// down: the next leader may not be known yet.
func (s *Server) dispatch(w http.ResponseWriter, c *call) {
	var expired <-chan time.Time
	var stopping <-chan struct{}
	if c.long() {
		stopping = s.stopping.Done()
	}
	var unknown error // of an earlier try; later ones cannot change it
	for {
		changed := s.cfg.Cluster.LeaderChanged()
		done, err := s.try(w, c)
		if done {
			return
		}
		repeat := !c.forwarded && !s.isolated() && s.mayRepeat(c, err)
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
		if expired == nil {
			timer := time.NewTimer(leaderWait)
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-changed:
		case <-time.After(leaderPoll):
		case <-expired:
			s.write(w, c, nil, err)
			return
		case <-stopping:
			s.write(w, c, nil, err)
			return
		case <-c.Context().Done():
			return
		}
	}
}

// isolated reports that this master will not learn of a leader: clients do better to ask another.
func (s *Server) isolated() bool {
	err := s.cfg.Cluster.Ready()
	return errors.Is(err, cluster.ErrRemoved) || errors.Is(err, cluster.ErrStalled)
}

// reads reports whether the request changes nothing.
func (c *call) reads() bool { return c.Method == http.MethodGet || c.Method == http.MethodHead }

// long reports whether the request may wait or stream.
func (c *call) long() bool { return c.endpoint.long || c.consistency.index != 0 }

// mayRepeat reports whether a request that failed with err can be repeated without a second
// effect.
func (s *Server) mayRepeat(c *call, err error) bool {
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.NoLeader:
		return true
	case ffrtmp.UnknownOutcome:
		return c.endpoint.repeat || c.idempotency.Key != "" || c.reads()
	}
	return false
}

// try serves or forwards a request once. Unless done, nothing has been written and another
// try may succeed.
func (s *Server) try(w http.ResponseWriter, c *call) (done bool, err error) {
	here := c.endpoint.servedBy == anyMaster || c.endpoint.servedBy == byConsistency && s.local(c.consistency)
	switch {
	case here || s.cfg.Cluster.IsLeader():
		if !here && !s.cfg.Leader.Leading() {
			// Its state may lack commands that its predecessor has acknowledged.
			return false, ffrtmp.Errorf(ffrtmp.NoLeader, "the new leader is not ready yet")
		}
		a, err := s.serveHere(c)
		if code := ffrtmp.CodeOf(err); (code == ffrtmp.NoLeader || code == ffrtmp.UnknownOutcome) &&
			!isIndexTimeout(err) {
			return false, err
		}
		if err := s.checkLease(c, a); err != nil {
			return false, err
		}
		s.write(w, c, a, err)
		return true, nil
	case c.forwarded:
		return false, ffrtmp.Errorf(ffrtmp.NoLeader, "this master does not lead")
	}
	return s.forward(w, c)
}

// checkLease refuses to answer a read of the leader's state that another leader may have changed
// meanwhile: this process may have been stopped, for any time, before or after it read its state.
func (s *Server) checkLease(c *call, a *answer) error {
	if c.endpoint.servedBy != byConsistency || s.local(c.consistency) || a != nil && a.backup != nil {
		return nil // a backup names its index
	}
	if err := s.cfg.Cluster.CheckLease(); err != nil {
		return ffrtmp.Errorf(ffrtmp.NoLeader, "leadership is not confirmed: %w", err)
	}
	return nil
}

// leaderTransport sends requests to the current leader.
type leaderTransport struct{ cluster Cluster }

// RoundTrip implements http.RoundTripper.
func (t leaderTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.cluster.LeaderTransport().RoundTrip(r)
}

// forward sends the request to the leader, in one hop, and copies the answer.
func (s *Server) forward(w http.ResponseWriter, c *call) (done bool, err error) {
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	s.metrics.forwarded.Inc()
	resp, err := s.leader.RoundTrip(s.outgoing(ctx, c))
	switch {
	case errors.Is(err, cluster.ErrNoLeader), errors.Is(err, cluster.ErrNotSent):
		return false, ffrtmp.Errorf(ffrtmp.NoLeader, "no leader can be reached: %w", err)
	case err != nil && c.long() && s.stopping.Err() != nil:
		return false, errStopping // all of them may be repeated
	case err != nil:
		return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome,
			"the connection to the leader broke; the outcome is unknown: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		if err != nil {
			return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome,
				"the connection to the leader broke during its answer: %w", err)
		}
		if err := readProblem(body); !isIndexTimeout(err) {
			return false, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	return s.copyAnswer(w, c, resp)
}

// outgoing is the request for the leader: the client's own with its key, which the leader
// checks again.
func (s *Server) outgoing(ctx context.Context, c *call) *http.Request {
	out := &http.Request{
		Method: c.Method,
		URL: &url.URL{
			Scheme: "https", Host: "leader", Path: c.URL.Path, RawPath: c.URL.RawPath,
			RawQuery: c.URL.RawQuery,
		},
		Host:          c.Host,
		Header:        http.Header{},
		Body:          io.NopCloser(bytes.NewReader(c.body)),
		ContentLength: int64(len(c.body)),
	}
	switch {
	case c.upload != nil:
		out.Body, out.ContentLength = io.NopCloser(c.upload.reader()), c.upload.size
	case len(c.body) == 0:
		out.Body = http.NoBody
	}
	copyEndToEnd(out.Header, c.Header)
	dropForged(out.Header)
	out.Header.Set(ffrtmp.RequestIDHeader, c.id)
	out.Header.Set(sourceHeader, sourceOf(c.Request))
	out.Header.Set(forwardedHeader, s.cfg.Cluster.ID())
	return out.WithContext(ctx)
}

// firstPart is how much of an answer is read before any of it is copied. When the leader
// dies before that, the request can still be repeated.
const firstPart = 256 << 10

func (s *Server) copyAnswer(w http.ResponseWriter, c *call, resp *http.Response) (done bool, err error) {
	var first []byte
	streamed := resp.Header.Get("Content-Type") == streamType || resp.Header.Get("Content-Type") == backupType
	if streamed {
		if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
			return true, err
		}
	} else {
		if first, err = io.ReadAll(io.LimitReader(resp.Body, firstPart)); err != nil {
			return false, ffrtmp.Errorf(ffrtmp.UnknownOutcome,
				"the connection to the leader broke during its answer: %w", err)
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
		// Only a broken connection shows the client that the answer is incomplete.
		panic(http.ErrAbortHandler)
	}
	return true, nil
}

// readProblem decodes the leader's error.
func readProblem(body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the leader's answer could not be read")
	}
	return &ffrtmp.Error{Code: p.Code, Field: p.Field, Message: strings.TrimPrefix(p.Error, p.Field+": ")}
}

// untilStopping is the request's context. That of a long poll also ends at a shutdown and
// with the request's key.
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
