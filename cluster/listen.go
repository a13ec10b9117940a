package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// PeerAddr returns the host:port at which others reach the peer port, "" when
// none is open.
func (n *Node) PeerAddr() string { return n.own.Load().Peer }

// GossipAddr returns the host:port at which others reach this master's gossip,
// "" when none is open.
func (n *Node) GossipAddr() string { return n.own.Load().Gossip }

// openPeerPort listens for Raft and HTTP/2. It returns Raft's transport, and
// what begins to accept once Raft is there to answer.
func (n *Node) openPeerPort() (trans raft.Transport, serve func(), err error) {
	host := n.cfg.Advertise
	if host == "" {
		if host, err = advertisedHost(n.cfg.Bind); err != nil {
			return nil, nil, err
		}
	}
	tcp, err := net.Listen("tcp", net.JoinHostPort(n.cfg.Bind, strconv.Itoa(n.cfg.PeerPort)))
	if err != nil {
		return nil, nil, fmt.Errorf("peer port: %w", err)
	}
	n.defers(func(context.Context) error { return ignoreClosed(tcp.Close()) })
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		return nil, nil, fmt.Errorf("peer port: %w", err)
	}
	own := n.ownAddress()
	own.Peer = net.JoinHostPort(host, port)
	n.own.Store(&own)

	n.peers = newPeerClient(n.book, n.cfg.PeerClientTLS)
	n.defers(func(context.Context) error { n.peers.closeIdle(); return nil })
	n.formation.ask = askPeer(n.peers)

	n.hint = n.newCrashHint()
	n.stream = newStreamLayer(n.id.ID, n.log.Named("peer"))
	n.stream.dial, n.stream.hello, n.stream.checkHello = n.peers.dial, n.hello, n.checkHello
	n.stream.broken = n.hint.connectionBroken
	contacts := newContactTracker(n.ctx, rpcTimeout+n.cfg.Timing.Heartbeat)
	t := newTransport(n.stream, &n.verifier, contacts, n.log.Named("transport"))
	n.hint.stand = t.standForElection
	n.formation.bootstrap = func(c raft.Configuration) error {
		if err := n.raft.BootstrapCluster(c).Error(); err != nil {
			return err
		}
		// The others have no leader to wait for.
		if err := t.standForElection(); err != nil {
			n.log.Warn("first election waits for a timeout", "error", err)
		}
		return nil
	}
	n.defers(func(context.Context) error { n.stream.block(errStopped); return t.Close() })

	listener := newPeerListener(tcp, n.cfg.PeerServerTLS, n.log.Named("peer"))
	listener.onRaft = n.stream.accept
	server := &http.Server{
		Handler:           newPeerHandler(n),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Minute,
		ErrorLog:          n.log.Named("peer").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 1000},
	}
	serve = func() {
		n.raft.RegisterObserver(raft.NewObserver(nil, false, n.hint.observe))
		n.spawn(n.hint.run)
		context.AfterFunc(n.ctx, func() { tcp.Close() })
		n.spawn(listener.run)
		n.wg.Go(func() { _ = server.Serve(listener.http) }) // returns http.ErrServerClosed
		n.defers(func(ctx context.Context) error {
			err := server.Shutdown(ctx)
			if errors.Is(err, context.DeadlineExceeded) {
				err = errors.Join(fmt.Errorf("forwarded requests were cut short: %w", err), server.Close())
			}
			return err
		})
		n.defers(n.handOver)
	}
	return t, serve, nil
}

func (n *Node) newCrashHint() *crashHint {
	h := newCrashHint(n.id.ID, n.lead, n.log.Named("crash"))
	h.probe = probePort(n.book)
	h.status = n.statusOf
	h.voters = n.voters
	h.state = func() raft.RaftState { return n.raft.State() }
	h.last = n.lastEntry
	return h
}

// ownAddress is what is known of this master before any port is open.
func (n *Node) ownAddress() address {
	return address{APIURL: n.cfg.APIURL, Level: n.cfg.CommandLevel, Starts: n.id.Starts}
}

// hello introduces this master on a Raft connection to another.
func (n *Node) hello(to string) hello {
	return hello{Cluster: n.formation.clusterID(), From: n.id.ID, To: to, Address: *n.own.Load()}
}

// welcome checks who introduces itself, and learns where it can be dialed: a
// master that has come back elsewhere need not wait for gossip.
func (n *Node) checkHello(g hello) error {
	own := n.formation.clusterID()
	switch {
	case g.To != n.id.ID:
		return fmt.Errorf("this is %s, not %s", n.id.ID, g.To)
	case own == "" || g.Cluster != own:
		return fmt.Errorf("cluster id %q is not this master's", g.Cluster)
	}
	n.book.learn(g.From, g.Address)
	return nil
}

func (n *Node) openGossip() error {
	path := n.cfg.GossipKeysFile
	if path == "" && !n.storage.inMemory() {
		path = n.storage.file(keyringFile)
	}
	keyring, err := openKeyring(path, n.cfg.GossipKeys)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(n.PeerAddr())
	if err != nil {
		return err
	}
	ip, err := resolveIP(host)
	if err != nil {
		return err
	}
	n.gossip, err = openGossip(gossipConfig{
		id: n.id.ID, cluster: n.cfg.Cluster,
		bind: n.cfg.Bind, advertise: ip, port: n.cfg.GossipPort,
		keyring: keyring, join: n.cfg.Join,
		meta: n.gossipMeta, missing: n.missing,
		log: n.log.Named("gossip"),
	})
	if err != nil {
		return err
	}
	n.defers(func(context.Context) error { return n.gossip.close() })
	own := *n.own.Load()
	own.Gossip = n.gossip.addr()
	n.own.Store(&own)
	n.book.learn(n.id.ID, own)
	n.membership = newMembership(n, n.log.Named("membership"))
	n.defers(n.stopBackground)
	n.spawn(n.membership.run)
	n.spawn(n.gossip.keepJoining)
	n.spawn(func(ctx context.Context) { n.gossip.run(ctx, n.viewChanged) })
	return nil
}

func (n *Node) gossipMeta() gossipMeta {
	held := n.formation.current()
	return gossipMeta{
		Peer: n.PeerAddr(), APIURL: n.cfg.APIURL, Version: n.cfg.Version,
		Expect: n.cfg.Expect, Cluster: held.ClusterID, Formed: held.Formed,
		Starts: n.id.Starts, Level: n.cfg.CommandLevel,
	}
}

// viewChanged takes in what gossip sees.
func (n *Node) viewChanged(ctx context.Context, alive []gossipMember) {
	for _, m := range alive {
		n.book.learn(m.ID, address{
			Peer: m.Peer, Gossip: m.Gossip, APIURL: m.APIURL, Level: m.Level, Starts: m.Starts,
		})
	}
	if err := n.formation.step(ctx, alive, n.gossip.triedAll()); err != nil {
		n.log.Error("cluster is not formed", "error", err)
	}
}

// missing reports whether masters are not in view that should be, and the
// gossip addresses last known for them.
func (n *Node) missing(alive []gossipMember) (addrs []string, missing bool) {
	missing = n.ClusterID() == ""
	for _, s := range n.servers() {
		if slices.ContainsFunc(alive, func(m gossipMember) bool { return m.ID == string(s.ID) }) {
			continue
		}
		missing = true
		if a, ok := n.book.lookup(string(s.ID)); ok && a.Gossip != "" {
			addrs = append(addrs, a.Gossip)
		}
	}
	return addrs, missing
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
