package egress

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// farewell is how long a server may still answer after ffmpeg has hung up.
const farewell = 500 * time.Millisecond

// serveRTMP carries bytes between ffmpeg and the server; TLS is spoken here, so
// that the certificate is verified.
func (e *Endpoint) serveRTMP(ctx context.Context, u *url.URL) {
	e.address = "rtmp://" + e.listener.Addr().String() + "/"
	e.drain = 2 * farewell
	secure := strings.EqualFold(u.Scheme, "rtmps")
	port := u.Port()
	switch {
	case port == "" && secure:
		port = "443"
	case port == "":
		port = "1935"
	}
	address := net.JoinHostPort(u.Hostname(), port)
	dialer := &net.Dialer{Timeout: dialTimeout, Control: control(loopback)}
	dial := dialer.DialContext
	if secure {
		dial = (&tls.Dialer{NetDialer: dialer, Config: &tls.Config{ServerName: u.Hostname()}}).DialContext
	}
	e.group.Go(func() {
		for {
			near, err := e.listener.Accept()
			if err != nil {
				return // Close has closed the listener
			}
			e.group.Go(func() {
				defer near.Close()
				far, err := dial(ctx, "tcp", address)
				if err != nil {
					if ctx.Err() == nil {
						e.fail(describe("RTMP server", err))
					}
					return
				}
				defer far.Close()
				carry(ctx, near, far)
			})
		}
	})
}

// carry copies both ways until both sides have ended or ctx has. What ffmpeg sent
// last reaches the server before the connection to it is closed.
func carry(ctx context.Context, near, far net.Conn) {
	defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
	var directions sync.WaitGroup
	directions.Go(func() {
		// An error of either copy ends the stream, which ffmpeg then reports.
		_, _ = io.Copy(far, near)
		if c, ok := far.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
		_ = far.SetReadDeadline(time.Now().Add(farewell))
	})
	directions.Go(func() {
		_, _ = io.Copy(near, far)
		near.Close()
	})
	directions.Wait()
}
