package cluster

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// filled makes a log with entries and a vote and returns its path and bytes.
func filled(t *testing.T, entries uint64) (path string, log, mark []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), logFile)
	d := openTestStore(t, path)
	err := errors.Join(d.SetUint64(keyCurrentTerm, 4),
		d.SetUint64(keyLastVoteTerm, 4), d.Set(keyLastVoteCand, []byte("b")))
	if err != nil {
		t.Fatal(err)
	}
	for i := range entries {
		storeEntries(t, d, i+1, i+1, 4)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	return path, read(t, path), read(t, markPath(path))
}

func markPath(log string) string { return filepath.Join(filepath.Dir(log), logMarkFile) }

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func overwrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// opened opens the log as a start does and returns its last entry.
func opened(t *testing.T, path string, covered uint64) (last uint64, err error) {
	t.Helper()
	d, err := openDiskStore(path, &writeClock{}, func(error) {})
	if err != nil {
		return 0, err
	}
	reason, err := d.lost(covered)
	if err == nil && reason != "" {
		err = &LostLogError{Path: path, Reason: reason}
	}
	last, lastErr := d.LastIndex()
	return last, errors.Join(err, lastErr, d.close())
}

// Whatever is damaged, opening neither panics nor forgets an entry silently.
func TestLog_DamageIsFound(t *testing.T) {
	const entries, tries = 40, 400
	path, log, _ := filled(t, entries)
	random := rand.New(rand.NewPCG(1, 2))
	for try := range tries {
		damaged := append([]byte(nil), log...)
		switch try % 4 {
		case 0:
			damaged = damaged[:random.IntN(len(damaged))]
		case 1:
			damaged[random.IntN(len(damaged))] ^= 1 << random.IntN(8)
		case 2:
			at := random.IntN(len(damaged) - 64)
			copy(damaged[at:at+64], make([]byte, 64))
		case 3:
			from, to := random.IntN(len(damaged)/4096)*4096, random.IntN(len(damaged)/4096)*4096
			copy(damaged[to:to+4096], log[from:from+4096])
		}
		overwrite(t, path, damaged)
		last, err := opened(t, path, 0)
		if err == nil && last != entries || err != nil && !untrusted(err) {
			t.Errorf("try %d: the log ends at %d (%v), want %d or an error", try, last, err, entries)
		}
	}
}

// Each byte of the meta pages decides what bbolt takes for the newest transaction.
func TestLog_DamagedMetaPage(t *testing.T) {
	const entries = 5
	path, log, _ := filled(t, entries)
	found := 0
	for page := range 2 {
		for at := range boltPageHeader + boltMetaSize {
			damaged := append([]byte(nil), log...)
			damaged[page*4096+at] ^= 0x40
			overwrite(t, path, damaged)
			last, err := opened(t, path, 0)
			if err == nil && last != entries || err != nil && !untrusted(err) {
				t.Errorf("byte %d of page %d: the log ends at %d (%v), want %d or an error",
					at, page, last, err, entries)
			}
			if err != nil {
				found++
			}
		}
	}
	if found == 0 {
		t.Error("no damage was found: nothing was tested")
	}
}

// An old copy of the log beside today's mark is a lost log, be it a vote that is missing.
func TestLog_OldCopyIsLost(t *testing.T) {
	path, log, _ := filled(t, 5)
	change := map[string]func(*diskStore) error{
		"entry": func(d *diskStore) error { return d.StoreLog(&raft.Log{Index: 6, Term: 4}) },
		"entry of another term": func(d *diskStore) error {
			return errors.Join(d.DeleteRange(5, 5), d.StoreLog(&raft.Log{Index: 5, Term: 5}))
		},
		"term": func(d *diskStore) error { return d.SetUint64(keyCurrentTerm, 5) },
		"vote": func(d *diskStore) error {
			return errors.Join(d.SetUint64(keyLastVoteTerm, 5), d.Set(keyLastVoteCand, []byte("b")))
		},
		"vote for another": func(d *diskStore) error {
			return errors.Join(d.SetUint64(keyLastVoteTerm, 4), d.Set(keyLastVoteCand, []byte("c")))
		},
	}
	mark := read(t, markPath(path))
	for name, f := range change {
		t.Run(name, func(t *testing.T) {
			overwrite(t, path, log)
			overwrite(t, markPath(path), mark)
			d := openTestStore(t, path)
			if err := errors.Join(f(d), d.close()); err != nil {
				t.Fatal(err)
			}
			if _, err := opened(t, path, 0); err != nil {
				t.Fatalf("the log that was written: got %v", err)
			}
			overwrite(t, path, log)
			var lost *LostLogError
			if _, err := opened(t, path, 0); !errors.As(err, &lost) {
				t.Errorf("got error %v, want *LostLogError", err)
			}
		})
	}
}

// What is written and taken back rightly is never taken for lost.
func TestLog_NeverFalselyLost(t *testing.T) {
	path, _, mark := filled(t, 20)
	steps := []struct {
		name    string
		covered uint64
		do      func(*diskStore) error
	}{
		{"truncated", 0, func(d *diskStore) error { return d.DeleteRange(15, 20) }},
		{"appended again", 0, func(d *diskStore) error { return d.StoreLog(&raft.Log{Index: 15, Term: 5}) }},
		{"compacted", 10, func(d *diskStore) error { return d.DeleteRange(1, 9) }},
		{"a snapshot installed", 100, func(*diskStore) error { return nil }},
		{"appended after a gap", 100, func(d *diskStore) error { return d.StoreLog(&raft.Log{Index: 101, Term: 5}) }},
		{"compacted up to the gap", 100, func(d *diskStore) error { return d.DeleteRange(10, 15) }},
		{"truncated at the gap", 100, func(d *diskStore) error { return d.DeleteRange(101, 101) }},
		{"an older mark, as after a power cut", 100, func(*diskStore) error {
			overwrite(t, markPath(path), mark)
			return nil
		}},
		{"no mark", 100, func(*diskStore) error { return os.Remove(markPath(path)) }},
		{"half a mark", 100, func(*diskStore) error { return os.Truncate(markPath(path), markSize) }},
	}
	for _, step := range steps {
		d := openTestStore(t, path)
		if err := errors.Join(step.do(d)); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		// No close: the process is killed.
		if err := d.bolt.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := opened(t, path, step.covered); err != nil {
			t.Errorf("%s: got %v", step.name, err)
		}
	}
}

// Entries that are known to be committed are not removed; all others are.
func TestLog_CommittedEntriesStay(t *testing.T) {
	path, _, _ := filled(t, 20)
	var failure error
	d, err := openDiskStore(path, &writeClock{}, func(err error) { failure = err })
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	d.committed.raise(10)
	if err := errors.Join(d.DeleteRange(11, 20), d.DeleteRange(1, 5)); err != nil {
		t.Fatal(err)
	}
	err = d.DeleteRange(8, 10)
	var refused *TruncateError
	if !errors.As(err, &refused) || !errors.As(failure, &refused) {
		t.Fatalf("got %v and failure %v, want *TruncateError", err, failure)
	}
	if !strings.Contains(err.Error(), " 3 of them") {
		t.Errorf("got %q, want the number of entries", err)
	}
	if last, _ := d.LastIndex(); last != 10 {
		t.Errorf("the log ends at %d, want 10", last)
	}
}

// A single master whose log is lost does not start and changes nothing.
func TestLostLog_SingleMasterRefuses(t *testing.T) {
	t.Parallel()
	replaced := func(data []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, data, 0o600) }
	}
	for name, harm := range map[string]func(path string) error{
		"missing":   os.Remove,
		"empty":     replaced(nil),
		"truncated": func(path string) error { return os.Truncate(path, 8192) },
		"zeros":     replaced(make([]byte, 1<<16)),
		"text":      replaced([]byte("not a log")),
	} {
		t.Run(name, func(t *testing.T) {
			m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir()})
			waitReady(t, m)
			write(t, "acknowledged", m)
			m.stop()
			if err := harm(filepath.Join(m.cfg.Dir, logFile)); err != nil {
				t.Fatal(err)
			}
			_, err := Open(m.cfg, m.sm)
			if !untrusted(err) || !strings.Contains(err.Error(), "ffrtmp recover --raft-dir "+m.cfg.Dir) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line that names ffrtmp recover", err)
			}
			if !m.sm.has("acknowledged") || m.sm.discarded > 0 {
				t.Error("the state is gone")
			}
		})
	}
}

// A master of three whose log is lost comes back as a new member and has everything.
func TestLostLog_BecomesNewMember(t *testing.T) {
	t.Parallel()
	masters := formAndWrite(t, "acknowledged")
	m := follower(t, masters...)
	old := m.ID()
	m.stop()
	if err := os.Remove(filepath.Join(m.cfg.Dir, logFile)); err != nil {
		t.Fatal(err)
	}
	cfg := m.cfg
	for _, other := range masters {
		if other != m {
			cfg.Join = append(cfg.Join, other.gossipAddr())
		}
	}
	sm := m.sm
	node, err := Open(cfg, sm)
	if err != nil {
		t.Fatal(err)
	}
	again := &master{Node: node, sm: sm, cfg: cfg, t: t}
	t.Cleanup(again.stop)
	if again.ID() == old {
		t.Fatal("it has kept its identity")
	}
	if len(sm.aside) != 1 || sm.aside[0] != "acknowledged" {
		t.Errorf("set aside: got %q, want the state", sm.aside)
	}
	waitReady(t, again)
	waitApplied(t, "acknowledged", again)
	testkit.Eventually(t, "the old member is replaced", func() bool {
		voters := again.voters()
		return len(voters) == 3 && strings.Contains(strings.Join(voters, " "), again.ID()) &&
			!strings.Contains(strings.Join(voters, " "), old)
	})
}

// What is set aside may be all but the identity.
func TestLostLog_SetsAsideWithoutIdentity(t *testing.T) {
	s, err := openStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	overwrite(t, s.file(logFile), []byte("a log"))
	id, err := openIdentity(s, "")
	if !untrusted(err) {
		t.Fatalf("got %v, want an identity that is lost", err)
	}
	aside, err := makeAside(s.path)
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{storage: s, id: id, log: testLogger("m1")}
	if err := n.setAside(&toy{}, aside, id.successor()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(aside, logFile)); string(got) != "a log" {
		t.Errorf("set aside: got %q, want the log", got)
	}
	if !s.has(identityFile) || s.has(logFile) {
		t.Error("got the old log or no identity, want a new identity alone")
	}
}

// Masters that have all lost their logs do not form an empty cluster.
func TestLostLog_NeverBootstraps(t *testing.T) {
	s, err := openStorage(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	id := identity{ID: "m1", Starts: 7}
	next := id.successor()
	if err := s.save(identityFile, next); err != nil {
		t.Fatal(err)
	}
	got, err := openIdentity(s, "m1")
	if err != nil || got.ID == "m1" || !strings.HasPrefix(got.ID, "m1-") || len(got.Former) != 1 {
		t.Fatalf("got %+v (%v), want a successor of m1", got, err)
	}
	n := &Node{cfg: Config{Expect: 3, NodeID: "m1"}, storage: s, id: got, log: testLogger("m1")}
	n.openPeers()
	if n.cfg.Expect != 0 {
		t.Errorf("it expects %d masters to form a cluster with, want 0", n.cfg.Expect)
	}
}
