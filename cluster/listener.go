package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
)

// What is spoken on the peer port, as ALPN names it.
const (
	protocolRaft = "ffrtmp-raft/1"
	protocolHTTP = "h2"
)

const (
	tlsTimeout = 5 * time.Second
	// tlsPendingLimit bounds the connections that have not shown a certificate.
	tlsPendingLimit = 256
)

// peerListener owns the peer port. It completes each TLS handshake, which
// refuses everybody who is not a master of this cluster, and hands the
// connection on by its protocol.
type peerListener struct {
	tcp     net.Listener
	config  *tls.Config
	onRaft  func(context.Context, *tls.Conn)
	http    *connQueue
	log     hclog.Logger
	pending chan struct{}
	wg      sync.WaitGroup
}

func newPeerListener(tcp net.Listener, config *tls.Config, log hclog.Logger) *peerListener {
	config = config.Clone()
	config.NextProtos = []string{protocolRaft, protocolHTTP}
	return &peerListener{
		tcp: tcp, config: config, log: limitLog(log),
		http:    newConnQueue(tcp.Addr()),
		pending: make(chan struct{}, tlsPendingLimit),
	}
}

// run accepts until the listener is closed or ctx ends, and returns when the
// last handshake is over.
func (l *peerListener) run(ctx context.Context) {
	defer l.wg.Wait()
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			l.log.Warn("peer port: accept failed", "error", err)
			select {
			case <-ctx.Done():
				return
			case <-time.After(50 * time.Millisecond): // out of file descriptors, most likely
			}
			continue
		}
		select {
		case l.pending <- struct{}{}:
		case <-ctx.Done():
			conn.Close()
			return
		}
		l.wg.Go(func() {
			defer func() { <-l.pending }()
			l.handshake(ctx, conn)
		})
	}
}

func (l *peerListener) handshake(ctx context.Context, conn net.Conn) {
	secure := tls.Server(conn, l.config)
	hctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	if err := secure.HandshakeContext(hctx); err != nil {
		if !hungUp(err) {
			remote, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
			l.log.Warn("peer port: refused", "remote", remote, "error", err)
		}
		conn.Close()
		return
	}
	switch secure.ConnectionState().NegotiatedProtocol {
	case protocolRaft:
		l.onRaft(ctx, secure)
	case protocolHTTP:
		l.http.push(ctx, secure)
	default:
		conn.Close()
	}
}

// hungUp reports whether the other side went away in the middle of a handshake, as
// health checks of load balancers and stopping masters do.
func hungUp(err error) bool {
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

// connQueue is a net.Listener for connections that were accepted elsewhere.
type connQueue struct {
	addr  net.Addr
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newConnQueue(addr net.Addr) *connQueue {
	return &connQueue{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// push waits until the connection is accepted; it closes the connection and
// returns false when that will not happen.
func (q *connQueue) push(ctx context.Context, conn net.Conn) bool {
	select {
	case q.conns <- conn:
		return true
	case <-q.done:
	case <-ctx.Done():
	}
	conn.Close()
	return false
}

// Accept implements net.Listener.
func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.done) })
	return nil
}

// Addr implements net.Listener.
func (q *connQueue) Addr() net.Addr { return q.addr }
