package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// Protocols of the peer port, as ALPN names them.
const (
	protocolRaft = "ffrtmp-raft/1"
	protocolHTTP = "h2"
)

const (
	tlsTimeout = 5 * time.Second
	// tlsPendingLimit bounds the connections that have not shown a certificate.
	tlsPendingLimit = 256
)

// peerAddr returns the host:port at which others reach the peer port, "" when
// none is open.
func (n *Node) peerAddr() string { return n.own.Load().Peer }

// openPeerPort listens for Raft and HTTP/2. It returns serve, which accepts
// connections and is called once Raft can answer them.
func (n *Node) openPeerPort() (serve func(), err error) {
	tcp, err := n.listenPeer()
	if err != nil {
		return nil, err
	}
	n.peers = newPeerClient(n.book, n.cfg.PeerClientTLS)
	n.teardown.PushClose(func() error { n.peers.closeIdle(); return nil })

	n.hint = newCrashHint(n.id.ID, n.lead, n, n.log.Named("crash"))
	n.stream = newStreamLayer(n.id.ID, streamConfig{
		dial: n.peers.dial, hello: n.hello, checkHello: n.checkHello, checkAck: n.checkAck,
		onBroken: n.hint.connectionBroken, log: n.log.Named("peer"),
	})
	contacts := newContactTracker(n.ctx, rpcTimeout+n.cfg.Timing.Heartbeat)
	n.transport = newTransport(n.stream, &n.verifier, contacts, n.memory, n.transportEvents(), n.log.Named("transport"))
	n.teardown.PushClose(func() error { n.stream.block(errStopped); return n.transport.Close() })

	listener := newPeerListener(tcp, n.cfg.PeerServerTLS, n.stream.accept, n.log.Named("peer"))
	return func() { n.servePeers(listener) }, nil
}

// transportEvents connects the transport to the failure detection.
func (n *Node) transportEvents() transportEvents {
	return transportEvents{
		patience: newPatience(n.cfg.Timing.Lease/4, n.detection.patience),
		received: func(req *raft.AppendEntriesRequest) { n.detection.received(time.Now(), string(req.ID), req.Term) },
		answered: n.majorityConfirms,
		asking:   n.detection.voteAsked,
	}
}

// listenPeer opens the peer port and makes its address this master's own.
func (n *Node) listenPeer() (net.Listener, error) {
	host := n.cfg.Advertise
	if host == "" {
		var err error
		if host, err = advertisedHost(n.cfg.Bind); err != nil {
			return nil, err
		}
	}
	tcp, err := net.Listen("tcp", net.JoinHostPort(n.cfg.Bind, strconv.Itoa(n.cfg.PeerPort)))
	if err != nil {
		return nil, fmt.Errorf("peer port: %w", err)
	}
	n.teardown.PushClose(func() error { return ignoreClosed(tcp.Close()) })
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("peer port: %w", err)
	}
	own := n.ownAddress()
	own.Peer = net.JoinHostPort(host, port)
	n.own.Store(&own)
	return tcp, nil
}

// servePeers accepts connections until the node closes.
func (n *Node) servePeers(listener *peerListener) {
	server := &http.Server{
		Handler:           newPeerHandler(n),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Minute,
		ErrorLog:          n.log.Named("peer").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 1000},
	}
	n.raft.RegisterObserver(raft.NewObserver(nil, false, n.hint.observe))
	n.raft.RegisterObserver(raft.NewObserver(nil, false, n.observeElections))
	n.spawn(n.hint.run)
	context.AfterFunc(n.ctx, func() { listener.tcp.Close() })
	n.spawn(listener.run)
	n.wg.Go(func() { _ = server.Serve(listener.http) }) // returns http.ErrServerClosed
	n.teardown.Push(func(ctx context.Context) error {
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.Join(fmt.Errorf("forwarded requests aborted: %w", err), server.Close())
		}
		return err
	})
	n.teardown.Push(n.handOver)
}

// ownAddress is what is known of this master before any port is open.
func (n *Node) ownAddress() address {
	return address{APIURL: n.cfg.APIURL, MetricsPort: n.cfg.MetricsPort, Level: n.cfg.CommandLevel, Starts: n.id.Starts}
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// peerListener owns the peer port. It completes each TLS handshake, which
// rejects everyone but masters of this cluster, and dispatches the connection by
// its protocol.
type peerListener struct {
	tcp     net.Listener
	config  *tls.Config
	onRaft  func(context.Context, *tls.Conn)
	http    *connQueue
	log     hclog.Logger
	pending chan struct{}
	wg      sync.WaitGroup
}

func newPeerListener(
	tcp net.Listener, config *tls.Config, onRaft func(context.Context, *tls.Conn), log hclog.Logger,
) *peerListener {
	config = config.Clone()
	config.NextProtos = []string{protocolRaft, protocolHTTP}
	return &peerListener{
		tcp: tcp, config: config, onRaft: onRaft, log: limitLog(log),
		http:    newConnQueue(tcp.Addr()),
		pending: make(chan struct{}, tlsPendingLimit),
	}
}

// run accepts until the listener is closed or ctx ends, and returns after the
// last handshake.
func (l *peerListener) run(ctx context.Context) {
	defer l.wg.Wait()
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || ctx.Err() != nil {
				return
			}
			l.log.Warn("peer port: accept failed", "error", err)
			// Most likely out of file descriptors.
			if ctxtime.Sleep(ctx, 50*time.Millisecond) != nil {
				return
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

// hungUp reports whether the other side disconnected during a handshake, as
// health checks of load balancers and stopping masters do.
func hungUp(err error) bool {
	for _, gone := range []error{
		io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, context.Canceled, context.DeadlineExceeded,
	} {
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

// push waits until the connection is accepted. If the queue or ctx ends first it
// closes the connection and returns false.
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
