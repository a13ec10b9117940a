package master

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// checkPorts returns an error if a port is taken, so that a start that must fail does so before it writes a file. The
// ports are closed again.
func (m *Master) checkPorts(ctx context.Context) error {
	c := m.config
	ports := []port{{"the API", "tcp", c.Port}}
	if c.Metrics {
		ports = append(ports, port{"metrics", "tcp", c.MetricsPort})
	}
	if c.clustered() {
		ports = append(ports, port{"peers", "tcp", c.PeerPort}, port{"gossip", "tcp", c.GossipPort},
			port{"gossip", "udp", c.GossipPort})
	}
	for _, p := range ports {
		if err := p.check(ctx, c.Bind); err != nil {
			return fmt.Errorf("listen for %s: %w", p.purpose, err)
		}
	}
	return nil
}

type port struct {
	purpose, network string
	number           int // 0 is any free one
}

// check returns an error if the port is taken.
func (p port) check(ctx context.Context, bind string) error {
	address := net.JoinHostPort(bind, strconv.Itoa(p.number))
	if p.number == 0 {
		return nil
	}
	var listen net.ListenConfig
	if p.network == "udp" {
		conn, err := listen.ListenPacket(ctx, p.network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	listener, err := listen.Listen(ctx, p.network, address)
	if err != nil {
		return err
	}
	return listener.Close()
}
