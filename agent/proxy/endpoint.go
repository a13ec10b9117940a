package proxy

import (
	"cmp"
	"context"
	"crypto/tls"
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
	address  string // ffmpeg's URL
	local    string // host and port of it
	server   *url.URL
	target   bool         // ffmpeg streams to the server; else it reads from it
	listener net.Listener // nil for SRT
	close    func()       // takes no more connections
	cancel   context.CancelFunc
	drain    time.Duration // how long connections may take to end
	group    sync.WaitGroup
	received atomic.Int64 // bytes from the server

	mu  sync.Mutex
	err error // the first failure, with its reason
}

// Open returns an endpoint for an http, https, rtmp, rtmps, srt, rtsp or rtsps URL. ffmpeg reads from it or, with
// target, streams to it by RTMP. The endpoint dials when ffmpeg connects.
func Open(raw string, target bool) (*Endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, failure.Errorf(ffrtmp.UserError, "not a URL with a host")
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Endpoint{server: u, target: target, cancel: cancel}
	if err := e.open(ctx, u); err != nil {
		cancel()
		return nil, err
	}
	return e, nil
}

func (e *Endpoint) open(ctx context.Context, u *url.URL) error {
	serve := map[string]func(context.Context, *url.URL){
		"http": e.serveHTTP, "https": e.serveHTTP, "rtmp": e.serveRTMP, "rtmps": e.serveRTMP, "rtsp": e.serveRTSP,
		"rtsps": e.serveRTSP,
	}[strings.ToLower(u.Scheme)]
	switch {
	case strings.EqualFold(u.Scheme, "srt"):
		return e.openSRT(ctx, u)
	case serve == nil:
		return failure.Errorf(ffrtmp.UserError, "the scheme %q is not allowed", u.Scheme)
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	if err := setBuffers(listener); err != nil {
		return errors.Join(err, listener.Close())
	}
	e.listener, e.local, e.close = listener, listener.Addr().String(), func() { listener.Close() }
	serve(ctx, u)
	return nil
}

// accept serves each connection of ffmpeg until Close.
func (e *Endpoint) accept(serve func(net.Conn)) {
	e.group.Go(func() {
		for {
			near, err := e.listener.Accept()
			if err != nil {
				return // Close has closed the listener
			}
			e.group.Go(func() {
				defer near.Close()
				serve(near)
			})
		}
	})
}

// streamServer is a kind of server that is reached by TCP or by TLS.
type streamServer struct {
	name             string // in messages
	secure           string // the scheme of it by TLS
	port, securePort string // if the URL has none
}

// dialEach serves each connection of ffmpeg with one to the server. It speaks TLS itself, so that the certificate is
// verified.
func (e *Endpoint) dialEach(
	ctx context.Context, u *url.URL, s streamServer, dialer *net.Dialer, serve func(near, far net.Conn),
) {
	dial, port := dialer.DialContext, s.port
	if strings.EqualFold(u.Scheme, s.secure) {
		secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{ServerName: u.Hostname()}}
		dial, port = secure.DialContext, s.securePort
	}
	address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	e.accept(func(near net.Conn) {
		far, err := dial(ctx, "tcp", address)
		if err != nil {
			if ctx.Err() == nil {
				e.fail(describe(s.name, err))
			}
			return
		}
		defer far.Close()
		serve(near, far)
	})
}

// Address returns the URL for ffmpeg.
func (e *Endpoint) Address() string { return e.address }

// Alias returns pairs of what ffmpeg's messages call the server and what users call
// it, without what may be secret in its URL.
func (e *Endpoint) Alias() []string {
	return []string{
		e.address, e.server.Scheme + "://" + e.server.Host + "/",
		e.local, e.server.Host,
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
	e.close()
	defer time.AfterFunc(e.drain, e.cancel).Stop()
	e.group.Wait()
	e.cancel()
}
