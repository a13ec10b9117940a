package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// dialTimeout bounds a connection attempt, with name lookup and TLS.
const dialTimeout = 15 * time.Second

// Endpoint represents one server to one ffmpeg.
type Endpoint struct {
	address  string
	server   *url.URL
	target   bool // ffmpeg streams to the server; else it reads from it
	listener net.Listener
	cancel   context.CancelFunc
	drain    time.Duration // how long connections may take to end
	group    sync.WaitGroup
	received atomic.Int64 // bytes from the server

	mu  sync.Mutex
	err error // the first failure, with its reason
}

// Open returns an endpoint for an http, https, rtmp or rtmps URL. ffmpeg reads from it
// or, with target, streams to it. The endpoint dials when ffmpeg connects.
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
	e := &Endpoint{server: u, target: target, listener: listener, cancel: cancel}
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

// Address returns the URL for ffmpeg.
func (e *Endpoint) Address() string { return e.address }

// Alias returns pairs of what ffmpeg's messages call the server and what users call
// it, without what may be secret in its URL.
func (e *Endpoint) Alias() []string {
	return []string{
		e.address, e.server.Scheme + "://" + e.server.Host + "/",
		e.listener.Addr().String(), e.server.Host,
	}
}

// Err returns why the server could not be reached, or nil. It is clearer than
// ffmpeg's own message.
func (e *Endpoint) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Received returns how many bytes have come from the server.
func (e *Endpoint) Received() int64 { return e.received.Load() }

// counted counts what is read from the server.
func (e *Endpoint) counted(from io.Reader) io.Reader { return &counter{from, &e.received} }

type counter struct {
	io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
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
