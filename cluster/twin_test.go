package cluster

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// copyDir copies a raft directory as a clone of its machine would have it: all files as of
// one moment. A master that writes meanwhile spoils the copy, so it is repeated.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	var to string
	testkit.Eventually(t, "a copy as of one moment", func() bool {
		to = filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			return false // a temporary file has gone
		}
		source, copied := checksumDir(from), checksumDir(to)
		return source == copied && source != ""
	})
	return to
}

// checksumDir returns a checksum of the names and contents of all files, or "" when they cannot be read.
func checksumDir(dir string) string {
	sum := sha256.New()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		return err
	})
	if err != nil {
		return ""
	}
	return string(sum.Sum(nil))
}

// reopen opens a master with a state machine that keeps its state, as a database does.
func reopen(t *testing.T, cfg Config, sm *toy) *master {
	t.Helper()
	node, err := Open(cfg, sm)
	if err != nil {
		t.Fatal(err)
	}
	m := &master{Node: node, sm: sm, cfg: cfg, t: t}
	t.Cleanup(m.stop)
	return m
}

// joining returns a configuration that finds the other masters.
func joining(m *master, masters []*master) Config {
	cfg := m.cfg
	for _, other := range masters {
		if other != m {
			cfg.Join = append(cfg.Join, other.gossipAddr())
		}
	}
	return cfg
}

// A second process with the identity of a living master ends, however often it was
// started, and the cluster keeps the first.
func TestTwin_SecondIsRefused(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	masters := formWith(t, 3, func(_ int, cfg *Config) {
		cfg.Metrics = prometheus.WrapRegistererWith(
			prometheus.Labels{"master": cfg.Version}, registry)
	})
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)
	for name, m := range map[string]*master{"follower": follower(t, masters...), "leader": leader(t, masters...)} {
		t.Run(name, func(t *testing.T) {
			cfg := joining(m, masters)
			cfg.Dir, cfg.Metrics, cfg.Timing = copyDir(t, m.cfg.Dir), nil, Local
			raiseStarts(t, cfg.Dir)
			twin := reopen(t, cfg, &toy{})
			var refused *TwinError
			if err := waitFailed(t, twin); !errors.As(err, &refused) || refused.Address != m.peerAddr() {
				t.Fatalf("got %v, want *TwinError that names %s", err, m.peerAddr())
			}
			for _, other := range masters {
				if a, _ := other.book.lookup(m.ID()); a.Peer != m.peerAddr() {
					t.Errorf("%s dials %s at %s, want %s", other.ID(), m.ID(), a.Peer, m.peerAddr())
				}
			}
			if !conflict(t, registry, m.peerAddr(), twin.peerAddr()) {
				t.Errorf("got no metric with both %s and %s", m.peerAddr(), twin.peerAddr())
			}
		})
	}
	write(t, "two", masters...)
	waitApplied(t, "two", masters...)
}

// raiseStarts makes the copy look like the newer one.
func raiseStarts(t *testing.T, dir string) {
	t.Helper()
	s := &storage{path: dir}
	var id identity
	if err := s.load(identityFile, &id); err != nil {
		t.Fatal(err)
	}
	id.Starts += 10
	if err := s.save(identityFile, id); err != nil {
		t.Fatal(err)
	}
}

func waitFailed(t *testing.T, m *master) error {
	t.Helper()
	select {
	case err := <-m.Failed():
		return err
	case <-testContext(t).Done():
		t.Fatal("it still runs, want it to fail")
		return nil
	}
}

func conflict(t *testing.T, registry *prometheus.Registry, address, refused string) bool {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if text := m.String(); strings.Contains(text, address) && strings.Contains(text, refused) {
				return true
			}
		}
	}
	return false
}

// formAndWrite forms a cluster of three that has all applied a command.
func formAndWrite(t *testing.T, command string) []*master {
	t.Helper()
	masters := form(t, 3)
	write(t, command, masters...)
	waitApplied(t, command, masters...)
	return masters
}

// An old copy of a whole directory is refused by whoever remembers more, and joins
// again as a new member.
func TestPeerMemory_OldCopyIsRefused(t *testing.T) {
	t.Parallel()
	masters := formAndWrite(t, "one")
	m := follower(t, masters...)
	old := copyDir(t, m.cfg.Dir)
	state := &toy{index: m.sm.index, term: m.sm.term, commands: m.sm.all()}
	for range 5 {
		write(t, "two", masters...)
	}
	waitApplied(t, "two", masters...)
	l := leader(t, masters...)
	testkit.Eventually(t, "the leader knows what the follower has", func() bool {
		return l.memory.acknowledged(m.ID()) == l.raft.LastIndex()
	})
	m.stop()

	cfg := joining(m, masters)
	cfg.Dir = old
	again := reopen(t, cfg, state)
	var back *RolledBackError
	if err := waitFailed(t, again); !errors.As(err, &back) || back.Acknowledged <= back.Index {
		t.Fatalf("got %v, want *RolledBackError", err)
	}
	again.stop()
	renewed := reopen(t, cfg, state)
	if renewed.ID() == m.ID() {
		t.Fatal("it has kept its identity")
	}
	waitReady(t, renewed)
	waitApplied(t, "two", renewed)
	testkit.Eventually(t, "the old member is replaced", func() bool {
		voters := renewed.voters()
		return len(voters) == 3 && !slices.Contains(voters, m.ID())
	})
}

// Who comes back as it went is welcome, whatever it has truncated meanwhile.
func TestPeerMemory_Meet(t *testing.T) {
	s := &storage{path: t.TempDir()}
	m := openPeerMemory(s, testLogger("memory"))
	m.note("a", 100)
	if missing := m.meet("a", "run 1", "address", 100); missing != 0 {
		t.Errorf("it has all: got %d missing", missing)
	}
	m.note("a", 110)
	if missing := m.meet("a", "run 1", "address", 105); missing != 0 {
		t.Errorf("the same process, as of a moment ago: got %d missing", missing)
	}
	if missing := m.meet("a", "run 2", "address", 109); missing != 110 {
		t.Errorf("an older copy: got %d missing, want 110", missing)
	}
	m.save()
	m = openPeerMemory(s, testLogger("memory"))
	if got := m.acknowledged("a"); got != 110 {
		t.Errorf("after a restart: got %d, want 110", got)
	}
	if missing := m.meet("a", "run 3", "address", 110); missing != 0 {
		t.Errorf("it has all: got %d missing", missing)
	}
	for _, damaged := range []string{"", "{", `{"a":null}`, `[]`, "\x00\x00"} {
		overwrite(t, s.file(memoryFile), []byte(damaged))
		if got := openPeerMemory(s, testLogger("memory")).acknowledged("a"); got != 0 {
			t.Errorf("%q: got %d, want 0", damaged, got)
		}
	}
	if _, err := json.Marshal(m.members); err != nil {
		t.Error(err)
	}
}

// Masters that were rolled back ask the third to remove what it knows to be
// acknowledged, and nobody remembers more: it stops and keeps its entries.
func TestLostLog_TruncationStops(t *testing.T) {
	t.Parallel()
	masters := formAndWrite(t, "one")
	copies := make([]string, len(masters))
	states := make([]*toy, len(masters))
	for i, m := range masters[1:] {
		copies[i+1] = copyDir(t, m.cfg.Dir)
		states[i+1] = &toy{index: m.sm.index, term: m.sm.term, commands: m.sm.all()}
	}
	for range 5 {
		write(t, "two", masters...)
	}
	waitApplied(t, "two", masters...)
	keeper := masters[0]
	for _, m := range masters {
		m.stop()
	}
	if err := os.Remove(keeper.storage.file(memoryFile)); err != nil {
		t.Fatal(err)
	}
	var others []*master
	for i, m := range masters[1:] {
		cfg := m.cfg
		cfg.Dir = copies[i+1]
		for _, other := range others {
			cfg.Join = append(cfg.Join, other.gossipAddr())
		}
		others = append(others, reopen(t, cfg, states[i+1]))
	}
	for range 2 {
		write(t, "three", others...)
	}
	before, last := keeper.sm.all(), keeper.sm.index
	for range 2 { // it stays so over a restart
		cfg := keeper.cfg
		cfg.Join = []string{others[0].gossipAddr(), others[1].gossipAddr()}
		again := reopen(t, cfg, keeper.sm)
		var refused *TruncateError
		if err := waitFailed(t, again); !errors.As(err, &refused) || refused.Committed < last {
			t.Fatalf("got %v, want *TruncateError about entry %d", err, last)
		}
		again.stop()
		if !slices.Equal(keeper.sm.all(), before) {
			t.Fatalf("its state changed: got %q, want %q", keeper.sm.all(), before)
		}
	}
}
