package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/gossipkey"

	"github.com/prometheus/client_golang/prometheus"
)

func TestConfigRefused(t *testing.T) {
	some := &tls.Config{}
	tests := []struct {
		name, want string
		cfg        Config
	}{
		{"no way to a cluster", "expect", Config{}},
		{"negative expect", "expect", Config{Expect: -1}},
		{"id with a space", "node id", Config{Expect: 1, NodeID: "a b"}},
		{"join without a port", "join", Config{Join: []string{"host"}}},
		{"three without TLS", "peer TLS", Config{Expect: 3}},
		{"joining without TLS", "peer TLS", Config{Expect: 1, Join: []string{"x:1"}}},
		{"half of the TLS", "peer TLS", Config{Expect: 3, PeerServerTLS: some}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, err := Open(tt.cfg, &toy{})
			if err == nil {
				n.Close(context.Background())
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not name %q", err, tt.want)
			}
		})
	}
}

func TestGossipDataThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	cfg := newAuthority(t).config("m0", 3)
	cfg.APIURL = "https://" + strings.Repeat("x", 600)
	if n, err := Open(cfg, &toy{}); err == nil {
		n.Close(context.Background())
		t.Fatal("opened with data that memberlist would panic over")
	}
	// Nothing was left behind: with an address that fits it opens.
	cfg.APIURL = "https://x"
	start(t, cfg)
}

func TestDirectoryBelongsToOneProcess(t *testing.T) {
	t.Parallel()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir()})
	if _, err := Open(m.cfg, &toy{}); !errors.Is(err, ErrDirInUse) {
		t.Errorf("a second master opens the directory: %v", err)
	}
}

func TestNodeID(t *testing.T) {
	t.Parallel()
	cfg := Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir(), NodeID: "chosen"}
	m := start(t, cfg)
	if m.ID() != "chosen" {
		t.Errorf("id %q, want the chosen one", m.ID())
	}
	m.stop()
	cfg.NodeID = "other"
	if n, err := Open(cfg, &toy{}); err == nil {
		n.Close(context.Background())
		t.Error("another id takes over the directory, with the votes of the first")
	}
}

func TestFilesAreOursAlone(t *testing.T) {
	t.Parallel()
	cfg := newAuthority(t).config("m0", 1)
	m := start(t, cfg)
	waitReady(t, m)
	err := filepath.WalkDir(cfg.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if path == filepath.Join(cfg.Dir, "snapshots") {
			return nil // within a directory of mode 0700
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyring(t *testing.T) {
	key := func(c string) []byte { return []byte(strings.Repeat(c, 16)) }
	path := filepath.Join(t.TempDir(), "keys")
	primary := func(configured ...[]byte) string {
		ring, err := openKeyring(path, configured)
		if err != nil {
			t.Fatal(err)
		}
		return string(ring.GetPrimaryKey()[:1])
	}
	if got := primary(key("a")); got != "a" {
		t.Fatalf("first key is %s", got)
	}
	// A rotation has made b the first.
	if err := os.WriteFile(path, gossipkey.Format(key("b"), key("a")), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := primary(key("a")); got != "b" {
		t.Errorf("a restart undoes the rotation: first key is %s", got)
	}
	if got := primary(); got != "b" {
		t.Errorf("without configured keys the first key is %s", got)
	}
	if got := primary(key("c")); got != "c" {
		t.Errorf("a new key in the configuration is not taken: first key is %s", got)
	}
	if _, err := openKeyring("", [][]byte{[]byte("short")}); err == nil {
		t.Error("a key of 5 bytes is taken")
	}
	if ring, err := openKeyring("", nil); ring != nil || err != nil {
		t.Errorf("no keys give a keyring (%v)", err)
	}
}

// Without the key nobody is found, whatever the certificates say.
func TestGossipNeedsTheKey(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	cfg := a.config("m1", 0, m.GossipAddr())
	cfg.GossipKeys = [][]byte{[]byte("fedcba9876543210")}
	other := start(t, cfg)
	eventually(t, "the first join was tried", other.gossip.triedAll)
	if n := len(m.gossip.alive()); n != 1 {
		t.Errorf("%d masters in view, want only itself", n)
	}
}

// Joining oneself, a closed port and a name that does not resolve are harmless.
func TestUselessAddressesToJoin(t *testing.T) {
	t.Parallel()
	own, release, err := devcluster.ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	cfg := newAuthority(t).config("m0", 1, "127.0.0.1:1", "does-not-exist.invalid:7946", "127.0.0.1:"+strconv.Itoa(own))
	cfg.GossipPort = own
	m := start(t, cfg)
	waitReady(t, m)
	if n := len(m.gossip.alive()); n != 1 {
		t.Errorf("%d masters in view, want only itself", n)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir(), Metrics: registry})
	waitReady(t, m)
	write(t, "one", m)
	// Raft answers a write a moment before it moves its own applied index.
	eventually(t, "the applied index shows the write", func() bool { return m.AppliedIndex() >= 3 })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		metric := f.GetMetric()[0]
		switch {
		case metric.GetGauge() != nil:
			values[f.GetName()] = metric.GetGauge().GetValue()
		case metric.GetCounter() != nil:
			values[f.GetName()] = metric.GetCounter().GetValue()
		default:
			values[f.GetName()] = float64(metric.GetHistogram().GetSampleCount())
		}
	}
	for name, ok := range map[string]func(float64) bool{
		"is_leader":            func(v float64) bool { return v == 1 },
		"term":                 func(v float64) bool { return v >= 2 },
		"commit_index":         func(v float64) bool { return v >= 3 },
		"applied_index":        func(v float64) bool { return v >= 3 },
		"last_contact_seconds": func(v float64) bool { return v == 0 },
		"peers":                func(v float64) bool { return v == 1 },
		"leader_changes_total": func(v float64) bool { return v == 1 },
		"apply_seconds":        func(v float64) bool { return v == 1 },
	} {
		v, there := values["ffmpeg_master_raft_"+name]
		if !there || !ok(v) {
			t.Errorf("ffmpeg_master_raft_%s is %v (there: %v)", name, v, there)
		}
	}
	if v, there := values["ffmpeg_master_snapshot_age_seconds"]; !there || v < 0 || v > 60 {
		t.Errorf("ffmpeg_master_snapshot_age_seconds is %v (there: %v)", v, there)
	}
	before := time.Now().Truncate(time.Millisecond)
	if err := m.Snapshot(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if made := m.snapshotTime(); made.Before(before) || made.After(time.Now()) {
		t.Errorf("the snapshot counts as made at %v, it was after %v", made, before)
	}
	m.stop()
	if families, err := registry.Gather(); err != nil || len(families) != 0 {
		t.Errorf("%d families are left after Close (%v)", len(families), err)
	}
}

func TestCloseIsQuickAndCanBeRepeated(t *testing.T) {
	t.Parallel()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir()})
	waitReady(t, m)
	begin := time.Now()
	m.stop()
	m.stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("close took %v", took)
	}
	if _, _, err := m.Apply(testContext(t), []byte("x")); err == nil {
		t.Error("a closed master applies")
	}
}
