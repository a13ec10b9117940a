package cluster

import (
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// memberlist panics over metadata that is too large, so Open rejects it.
func TestGossip_MetadataTooLarge(t *testing.T) {
	t.Parallel()
	cfg := newAuthority(t).config("m0", 3)
	cfg.APIURL = "https://" + strings.Repeat("x", 600)
	if err := refuseOpen(t, cfg); !strings.Contains(err.Error(), "gossip") {
		t.Errorf("got %v, want an error that names gossip", err)
	}
	// Nothing was left behind: with an address that fits, it opens.
	cfg.APIURL = "https://x"
	start(t, cfg)
}

// Without the key nobody is found, whatever the certificates say.
func TestGossip_WrongKey(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	cfg := a.config("m1", 0, m.gossipAddr())
	cfg.GossipKeys = [][]byte{[]byte("fedcba9876543210")}
	other := start(t, cfg)
	testkit.Eventually(t, "the first join was tried", other.gossip.triedAll)
	if got := len(m.gossip.alive()); got != 1 {
		t.Errorf("got %d masters in view, want 1", got)
	}
}

// Its own address, a closed port and an unknown name among those to join do no harm.
func TestGossip_UselessJoinAddresses(t *testing.T) {
	t.Parallel()
	own, release, err := devcluster.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	join := []string{"127.0.0.1:1", "does-not-exist.invalid:7946", "127.0.0.1:" + strconv.Itoa(own)}
	cfg := newAuthority(t).config("m0", 1, join...)
	cfg.GossipPort = own
	m := start(t, cfg)
	waitReady(t, m)
	if got := len(m.gossip.alive()); got != 1 {
		t.Errorf("got %d masters in view, want 1", got)
	}
}
