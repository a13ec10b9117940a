// Package proxy connects jobs to the network. ffmpeg gets the address of an endpoint
// on the loopback interface; the endpoint resolves, checks and dials the job's server,
// redirects included, and verifies its certificate.
package proxy

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// zone is how far inside a network an address is. A redirect may not lead further in
// than its own server: a public server must not direct an agent to addresses that
// only the agent can reach.
type zone int

const (
	public zone = iota
	private
	loopback
	forbidden // link-local (metadata services of clouds), and addresses that are no single host
)

// metadata are metadata services outside the link-local ranges.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("fd20:ce::254"),
	netip.MustParseAddr("100.100.100.200"),
}

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

func zoneOf(a netip.Addr) zone {
	a = a.Unmap().WithZone("")
	for _, m := range metadata {
		if a == m {
			return forbidden
		}
	}
	switch {
	case !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() ||
		a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return forbidden
	case a.IsLoopback():
		return loopback
	case a.IsPrivate() || carrierNAT.Contains(a):
		return private
	}
	return public
}

// dialControl returns a function for net.Dialer.Control that refuses addresses further
// in than limit. It sees the resolved address at the moment of dialing, so a second
// answer of a name server cannot change it.
func dialControl(limit zone) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if zoneOf(ap.Addr()) > limit {
			return failure.Errorf(ffrtmp.UserError, "jobs may not connect to %s", ap.Addr())
		}
		return nil
	}
}

// zoneOfConn returns the zone of a connection's far end.
func zoneOfConn(c net.Conn) zone {
	ap, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return public
	}
	return zoneOf(ap.Addr())
}
