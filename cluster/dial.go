package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const dialTimeout = 2 * time.Second

var (
	errWritesStalled = errors.New("connections to peers are blocked while log writes hang")
	errStopped       = errors.New("this master is stopping")
)

// streamLayer is Raft's stream layer. Raft names members by id; the stream layer
// finds the address, dials it and verifies that the right member answers.
type streamLayer struct {
	streamConfig
	self  string
	queue *connQueue

	mu      sync.Mutex
	conns   map[*peerConn]struct{}
	blocked error // why no connection is accepted, or nil
}

type streamConfig struct {
	dial func(ctx context.Context, id, protocol string) (*tls.Conn, error)
	// hello introduces this master; checkHello checks who connects to it.
	hello      func(to string) hello
	checkHello func(hello) (ack, error)
	// checkAck checks the answer of the member that was dialed at an address.
	checkAck func(id, peer string, a ack) error
	// onBroken is called when a connection that a member has opened ends. It
	// must not block.
	onBroken func(id string)
	log      hclog.Logger
}

// memberAddr is a member's id as a net.Addr.
type memberAddr string

func (memberAddr) Network() string  { return "member" }
func (a memberAddr) String() string { return string(a) }

func newStreamLayer(self string, c streamConfig) *streamLayer {
	return &streamLayer{
		streamConfig: c, self: self, queue: newConnQueue(memberAddr(self)),
		conns: make(map[*peerConn]struct{}),
	}
}

// Accept implements net.Listener.
func (s *streamLayer) Accept() (net.Conn, error) { return s.queue.Accept() }

// Close implements net.Listener.
func (s *streamLayer) Close() error { return s.queue.Close() }

// Addr implements net.Listener: what Raft takes for its own address.
func (s *streamLayer) Addr() net.Addr { return s.queue.Addr() }

// Dial implements raft.StreamLayer. The address is a member's id.
func (s *streamLayer) Dial(member raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), min(timeout, dialTimeout))
	defer cancel()
	id := string(member)
	if id == s.self {
		return s.loopback(ctx)
	}
	if err := s.blockedBy(); err != nil {
		return nil, err
	}
	conn, err := s.dial(ctx, id, protocolRaft)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", id, err)
	}
	check := func(a ack) error { return s.checkAck(id, conn.RemoteAddr().String(), a) }
	if err := sendHello(conn, s.hello(id), check); err != nil {
		conn.Close()
		return nil, err
	}
	return s.track(conn, id, false)
}

// loopback connects Raft's transport with itself, for the RPC by which a
// master asks itself to stand for election.
func (s *streamLayer) loopback(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	if !s.queue.push(ctx, far) {
		near.Close()
		return nil, net.ErrClosed
	}
	return near, nil
}

// accept takes over a connection after its TLS handshake.
func (s *streamLayer) accept(ctx context.Context, conn *tls.Conn) {
	h, err := receiveHello(conn, s.checkHello)
	if err == nil {
		err = s.blockedBy()
	}
	if err != nil {
		s.log.Debug("peer port: refused", "remote", conn.RemoteAddr(), "error", err)
		conn.Close()
		return
	}
	tracked, err := s.track(conn, h.From, true)
	if err != nil {
		return
	}
	s.queue.push(ctx, tracked)
}

func (s *streamLayer) track(conn net.Conn, id string, accepted bool) (net.Conn, error) {
	c := &peerConn{Conn: conn, stream: s, id: id, accepted: accepted}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked != nil {
		conn.Close()
		return nil, s.blocked
	}
	s.conns[c] = struct{}{}
	return c, nil
}

func (s *streamLayer) blockedBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked
}

// block closes every connection and accepts none until it is called with nil.
func (s *streamLayer) block(reason error) {
	s.mu.Lock()
	s.blocked = reason
	s.mu.Unlock()
	if reason != nil {
		s.closeAll()
	}
}

// closeAll closes every connection to and from a peer, which also ends the RPCs
// that wait on them.
func (s *streamLayer) closeAll() {
	s.mu.Lock()
	conns := make([]*peerConn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// peerConn is a connection to or from one member.
type peerConn struct {
	net.Conn
	stream   *streamLayer
	id       string
	accepted bool
	once     sync.Once
}

// Read implements net.Conn and notices when the other side disconnects.
func (c *peerConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone(true)
	}
	return n, err
}

// Close implements net.Conn.
func (c *peerConn) Close() error {
	c.gone(false)
	// Not the TLS close: it would wait to send its alert to a peer that hangs.
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.NetConn().Close()
	}
	return c.Conn.Close()
}

func (c *peerConn) gone(byPeer bool) {
	c.once.Do(func() {
		c.stream.mu.Lock()
		delete(c.stream.conns, c)
		c.stream.mu.Unlock()
		if byPeer && c.accepted {
			c.stream.onBroken(c.id)
		}
	})
}
