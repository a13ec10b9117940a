package cluster

import (
	"context"
	"net"
	"slices"
)

// gossipAddr returns the host:port at which others reach this master's gossip,
// "" when none is open.
func (n *Node) gossipAddr() string { return n.own.Load().Gossip }

// openGossip joins the other masters. Membership follows what gossip finds.
func (n *Node) openGossip() error {
	path := n.cfg.GossipKeysFile
	if path == "" && !n.storage.inMemory() {
		path = n.storage.file(keyringFile)
	}
	var err error
	if n.keyring, err = openKeyring(path, n.cfg.GossipKeys, n.log.Named("gossip")); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(n.peerAddr())
	if err != nil {
		return err
	}
	ip, err := resolveIP(n.ctx, host)
	if err != nil {
		return err
	}
	n.gossip, err = openGossip(gossipConfig{
		id: n.id.ID, cluster: n.cfg.Cluster,
		bind: n.cfg.Bind, advertise: ip, port: n.cfg.GossipPort,
		keyring: n.keyring.ring, join: n.cfg.Join,
		meta: n.gossipMeta, missing: n.missing, misfits: n.misfits,
		log: n.log.Named("gossip"),
	})
	if err != nil {
		return err
	}
	n.teardown.PushClose(n.gossip.close)
	own := *n.own.Load()
	own.Gossip = n.gossip.addr()
	n.own.Store(&own)
	n.book.learn(n.id.ID, own)
	n.membership = newMembership(n, n.log.Named("membership"))
	n.teardown.Push(n.stopBackground)
	n.spawn(n.membership.run)
	n.spawn(n.gossip.keepJoining)
	if n.keyring.encrypted() {
		n.spawn(n.keepKeys)
	}
	n.spawn(func(ctx context.Context) { n.gossip.run(ctx, n.viewChanged) })
	return nil
}

func (n *Node) gossipMeta() gossipMeta {
	held, claim := n.formation.current(), n.claim()
	return gossipMeta{
		Peer: n.peerAddr(), APIURL: n.cfg.APIURL, Metrics: n.cfg.MetricsPort, Version: n.cfg.Version,
		Expect: n.cfg.Expect, Cluster: held.ClusterID, Formed: held.Formed,
		Starts: n.id.Starts, Level: n.cfg.CommandLevel, Run: n.run,
		Name: claim.Name, Fixed: claim.Fixed,
		Nonvoter: n.cfg.Nonvoter, Removed: n.isOut.Load(),
	}
}

// viewChanged learns addresses from the view and advances the formation.
func (n *Node) viewChanged(ctx context.Context, alive []gossipMember) {
	for _, m := range alive {
		if n.isTwin(ctx, m) {
			continue
		}
		n.book.learn(m.ID, address{
			Peer: m.Peer, Gossip: m.Gossip, APIURL: m.APIURL, MetricsPort: m.Metrics, Level: m.Level, Starts: m.Starts,
		})
	}
	n.observeMembers(alive)
	n.nameRivals(alive)
	n.judge(alive)
	if err := n.formation.step(ctx, alive, n.gossip.triedAll()); err != nil {
		n.log.Error("cannot form the cluster", "error", err)
	}
}

// isTwin reports whether the view has a second process with a member's identity.
func (n *Node) isTwin(ctx context.Context, m gossipMember) bool {
	known, ok := n.book.lookup(m.ID)
	if !ok || known.Peer == m.Peer || m.Starts < known.Starts || m.ID == n.id.ID {
		return false
	}
	_, found := n.runsElsewhere(ctx, m.ID, m.Run, m.Peer)
	return found
}

// missing reports whether the view lacks masters, and their last known gossip
// addresses.
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
