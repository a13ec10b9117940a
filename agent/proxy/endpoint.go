package proxy

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// dialTimeout bounds a connection's making, its name look-up and TLS included.
const dialTimeout = 15 * time.Second

// Endpoint stands for one server, for the life of one ffmpeg.
type Endpoint struct {
	address  string
	target   bool // ffmpeg streams to the server; else it reads from it
	listener net.Listener
	cancel   context.CancelFunc
	drain    time.Duration // how long connections may take to end by themselves
	group    sync.WaitGroup

	mu  sync.Mutex
	err error // the first refusal or failure, with its reason
}

// Open returns an endpoint for an http, https, rtmp or rtmps URL, which is read from
// or, as a target, streamed to. Nothing is dialed before ffmpeg connects.
func Open(raw string, target bool) (*Endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, failure.Errorf(ffrtmp.UserError, "not a URL with a host")
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	if err := setBuffers(listener); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Endpoint{target: target, listener: listener, cancel: cancel}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		e.serveHTTP(ctx, u)
	case "rtmp", "rtmps":
		e.serveRTMP(ctx, u)
	default:
		cancel()
		listener.Close()
		return nil, failure.Errorf(ffrtmp.UserError, "the scheme %q is not allowed", u.Scheme)
	}
	return e, nil
}

// Address returns the URL that ffmpeg is given.
func (e *Endpoint) Address() string { return e.address }

// Err returns the first reason for which the server could not be reached, or nil.
// It is clearer than what ffmpeg makes of it.
func (e *Endpoint) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *Endpoint) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

// Close ends all connections and returns when their goroutines have. It is called
// after ffmpeg has ended; the last bytes of a stream are given time to leave.
func (e *Endpoint) Close() {
	e.listener.Close()
	defer time.AfterFunc(e.drain, e.cancel).Stop()
	e.group.Wait()
	e.cancel()
}
