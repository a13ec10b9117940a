package master_test

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/master"
)

// A start that fails because a port is taken leaves no files.
func TestNew_PortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcpPort, udpPort := port(t, taken.Addr()), port(t, udp.LocalAddr())
	for purpose, set := range map[string]func(*master.Config){
		"API":           func(c *master.Config) { c.Port = tcpPort },
		"metrics":       func(c *master.Config) { c.MetricsPort = tcpPort },
		"peers":         func(c *master.Config) { c.BootstrapExpect, c.PeerPort = 3, tcpPort },
		"gossip":        func(c *master.Config) { c.BootstrapExpect, c.GossipPort = 3, tcpPort },
		"gossip by UDP": func(c *master.Config) { c.BootstrapExpect, c.GossipPort = 3, udpPort },
	} {
		t.Run(purpose, func(t *testing.T) {
			t.Chdir(t.TempDir())
			c := master.Default()
			c.Bind, c.Port, c.MetricsPort, c.PeerPort, c.GossipPort = "127.0.0.1", 0, 0, 0, 0
			c.APIKey, c.GossipKeys, c.Files.CA = "key", [][]byte{make([]byte, 32)}, "ca.crt"
			set(&c)
			m, err := master.New(t.Context(), c)
			if err == nil {
				t.Fatal(m.Close(t.Context()))
			}
			if name, _, _ := strings.Cut(purpose, " "); !strings.Contains(err.Error(), "listen for ") ||
				!strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want the port of %s", err, purpose)
			}
			if found, err := os.ReadDir("."); err != nil || len(found) > 0 {
				t.Errorf("got files %v (%v), want none", found, err)
			}
		})
	}
}

func port(t *testing.T, address net.Addr) int {
	t.Helper()
	parsed, err := netip.ParseAddrPort(address.String())
	if err != nil {
		t.Fatal(err)
	}
	return int(parsed.Port())
}
