package cluster

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// refuseOpen opens a master that must be rejected, and returns why.
func refuseOpen(t *testing.T, cfg Config) error {
	t.Helper()
	n, err := Open(cfg, &toy{})
	if err == nil {
		t.Fatal("got no error, want one", n.Close(t.Context()))
	}
	return err
}

func TestConfig_Rejected(t *testing.T) {
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
			if err := refuseOpen(t, tt.cfg); !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want an error that names %q", err, tt.want)
			}
		})
	}
}

func TestOpen_DirInUse(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	if err := refuseOpen(t, m.cfg); !errors.Is(err, ErrDirInUse) {
		t.Errorf("got %v, want %v", err, ErrDirInUse)
	}
}

// Another id must not take over a directory, with the votes of the first.
func TestOpen_NodeID(t *testing.T) {
	t.Parallel()
	cfg := Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir(), NodeID: "chosen"}
	m := start(t, cfg)
	if m.ID() != "chosen" {
		t.Errorf("got id %q, want %q", m.ID(), "chosen")
	}
	m.stop()
	cfg.NodeID = "other"
	if err := refuseOpen(t, cfg); !strings.Contains(err.Error(), "node id") {
		t.Errorf("got %v, want an error that names the node id", err)
	}
}

// Only the master's own user can read its files.
func TestOpen_FileModes(t *testing.T) {
	t.Parallel()
	cfg := newAuthority(t).config("m0", 1)
	waitReady(t, start(t, cfg))
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
			t.Errorf("mode of %s: got %v, want none for others", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Close waits for no timeout, and may be called again.
func TestNode_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, Config{Cluster: testCluster, Expect: 1})
		waitReady(t, m)
		begin := time.Now()
		m.stop()
		m.stop()
		if took := time.Since(begin); took >= stopTimeout {
			t.Errorf("close took %v, want less than %v", took, stopTimeout)
		}
		if _, _, err := m.Apply(testkit.Context(t), []byte("x")); err == nil {
			t.Error("apply after close: got no error, want one")
		}
	})
}
