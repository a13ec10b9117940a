package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

var (
	// ErrNoLeader is returned while no leader is known. Nothing was sent.
	ErrNoLeader = errors.New("no leader is known")
	// ErrNotSent means that a forwarded request has not reached the leader and
	// may be repeated. It wraps ErrNoLeader.
	ErrNotSent = errors.New("request was not sent")
	// ErrUnknownOutcome means that a request was sent and its answer was lost:
	// it may have been carried out.
	ErrUnknownOutcome = errors.New("request was sent but its outcome is unknown")
)

// errIsLeader rejects a request that this master must serve itself.
var errIsLeader = errors.New("this master is the leader")

// LeaderTransport returns a RoundTripper that sends each request to the current
// leader's Config.Forward in one hop over mutual TLS; the host of its URL is
// ignored. Every error wraps ErrNotSent or ErrUnknownOutcome. Safe for concurrent
// use.
func (n *Node) LeaderTransport() http.RoundTripper { return leaderTransport{n} }

type leaderTransport struct{ node *Node }

// RoundTrip implements http.RoundTripper.
func (t leaderTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	n := t.node
	leader, ok := n.Leader()
	switch {
	case !ok:
		return nil, refuse(r, ErrNoLeader)
	case leader.ID == n.id.ID:
		return nil, refuse(r, errIsLeader)
	}

	// The trace is called before a header field is written, so a request without
	// such a call has not left this process.
	var connected, written atomic.Bool
	led, release, end := n.whileLeads(r.Context(), leader.ID)
	ctx := httptrace.WithClientTrace(led, &httptrace.ClientTrace{
		GotConn:          func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteHeaderField: func(string, []string) { written.Store(true) },
	})
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host, out.Host = "https", leader.ID, leader.ID
	out.RequestURI = ""
	out.Header.Set(headerCluster, n.formation.clusterID())

	resp, err := n.peers.http.RoundTrip(out)
	if err != nil {
		defer end()
		// A canceled RoundTrip may return while its request is being written.
		sent := written.Load() || connected.Load() && led.Err() != nil
		kind := ErrNotSent
		if sent {
			kind = ErrUnknownOutcome
		}
		return nil, fmt.Errorf("forward to %s: %w: %w", n.named(leader.ID), kind, err)
	}
	if resp.ContentLength < 0 {
		release() // a stream, which a deposed leader may complete
	}
	resp.Body = &ledBody{resp.Body, end}
	if resp.StatusCode == http.StatusMisdirectedRequest {
		resp.Body.Close()
		return nil, fmt.Errorf("forward to %s: %w: another master answered", n.named(leader.ID), ErrNotSent)
	}
	return resp, nil
}

// deposedGrace is how long a deposed leader may take to answer what it was asked before: a
// healthy one answers at once.
const deposedGrace = time.Second

// errDeposed ends requests to a leader that no longer leads.
var errDeposed = errors.New("another master leads")

// whileLeads returns a context that ends a while after another master than id is known to lead:
// a leader that hangs would keep the request as long as it hangs. After release it does not end
// by itself. The caller must call end.
func (n *Node) whileLeads(ctx context.Context, id string) (led context.Context, release, end func()) {
	led, cancel := context.WithCancelCause(ctx)
	watch, release := context.WithCancel(led)
	go func() {
		if n.lead.awaitOther(watch, id) == nil && ctxtime.Sleep(watch, deposedGrace) == nil {
			cancel(errDeposed)
		}
	}()
	return led, release, func() { cancel(context.Canceled) }
}

// ledBody is an answer's body; its request ends with it.
type ledBody struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (b *ledBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// refuse closes the body, as http.RoundTripper must.
func refuse(r *http.Request, err error) error {
	if r.Body != nil {
		r.Body.Close()
	}
	return fmt.Errorf("%w: %w", ErrNotSent, err)
}
