package cluster

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"
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

func TestOpenKeyring(t *testing.T) {
	key := func(c string) []byte { return []byte(strings.Repeat(c, 16)) }
	path := filepath.Join(t.TempDir(), "keys")
	// A rotation has made b the first.
	if err := os.WriteFile(path, gossipkey.Format(key("b"), key("a")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path, want string
		configured       [][]byte
	}{
		{"no file", path + ".new", "a", [][]byte{key("a")}},
		{"rotation survives a restart", path, "b", [][]byte{key("a")}},
		{"no configured keys", path, "b", nil},
		{"new configured key", path, "c", [][]byte{key("c")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ring, err := openKeyring(tt.path, tt.configured)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(ring.GetPrimaryKey()[:1]); got != tt.want {
				t.Errorf("got first key %s, want %s", got, tt.want)
			}
		})
	}
	if _, err := openKeyring("", [][]byte{[]byte("short")}); err == nil {
		t.Error("key of 5 bytes: got no error, want one")
	}
	if ring, err := openKeyring("", nil); ring != nil || err != nil {
		t.Errorf("no keys: got %v, %v, want no keyring", ring, err)
	}
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
