package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// lingerTimeout is how long a server may still answer after ffmpeg has disconnected.
const lingerTimeout = 500 * time.Millisecond

// serveRTMP relays bytes between ffmpeg and the server.
func (e *Endpoint) serveRTMP(ctx context.Context, u *url.URL) {
	e.address = "rtmp://" + e.local + "/"
	e.drain = 2 * lingerTimeout
	kind := streamServer{name: "RTMP server", secure: "rtmps", port: "1935", securePort: "443"}
	allowed := dialControl(loopback)
	dialer := &net.Dialer{Timeout: dialTimeout, Control: func(network, address string, conn syscall.RawConn) error {
		return errors.Join(allowed(network, address, conn), limitUnsent(conn))
	}}
	e.dialEach(ctx, u, kind, dialer, func(near, far net.Conn) {
		e.relay(ctx, &caller{Conn: near}, far)
	})
}

// caller is ffmpeg's end of a connection. It remembers that ffmpeg disconnected.
type caller struct {
	net.Conn
	gone atomic.Bool
}

func (c *caller) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone.Store(true)
	}
	return n, err
}

// relay copies both ways until both sides or ctx have ended. The last bytes of ffmpeg
// reach the server before the connection closes. A server that receives a stream must
// not disconnect first.
func (e *Endpoint) relay(ctx context.Context, near *caller, far net.Conn) {
	defer context.AfterFunc(ctx, func() { near.Close(); far.Close() })()
	ended := func() {
		if e.target && !near.gone.Load() && ctx.Err() == nil {
			e.fail(failure.Errorf(ffrtmp.NetworkError, "RTMP server closed the connection"))
		}
	}
	var directions sync.WaitGroup
	directions.Go(func() {
		// An error of either copy ends the stream; ffmpeg reports that.
		_, _ = io.Copy(far, near)
		ended()
		if c, ok := far.(interface{ CloseWrite() error }); ok {
			_ = c.CloseWrite()
		}
		_ = far.SetReadDeadline(time.Now().Add(lingerTimeout))
	})
	directions.Go(func() {
		_, _ = io.Copy(near, e.counted(far))
		ended()
		near.Close()
	})
	directions.Wait()
}
