package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func openTestStore(t *testing.T, path string) *diskStore {
	t.Helper()
	d, err := openDiskStore(path, &writeClock{}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return d
}

func storeEntries(t *testing.T, s raft.LogStore, from, to, term uint64) {
	t.Helper()
	var logs []*raft.Log
	for i := from; i <= to; i++ {
		logs = append(logs, &raft.Log{
			Index: i, Term: term, Type: raft.LogCommand, Data: []byte("entry with some data"),
		})
	}
	if err := s.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
}

func TestDiskStore_ReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	d := openTestStore(t, path)
	want := &raft.Log{Index: 7, Term: 3, Type: raft.LogCommand, Data: []byte("data"), Extensions: []byte("extension")}
	if err := d.StoreLog(want); err != nil {
		t.Fatal(err)
	}
	if string(want.Extensions) != "extension" {
		t.Errorf("storing changed the caller's entry: %q", want.Extensions)
	}
	d.close()
	d = openTestStore(t, path)
	var got raft.Log
	if err := d.GetLog(7, &got); err != nil {
		t.Fatal(err)
	}
	if got.Term != 3 || string(got.Data) != "data" || string(got.Extensions) != "extension" {
		t.Errorf("read %+v, wrote %+v", got, want)
	}
	if err := d.GetLog(8, &got); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("missing entry: got %v", err)
	}
}

// flip changes a bit of the marker wherever a file holds it: copy-on-write
// leaves old pages behind.
func flip(t *testing.T, path, marker string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(marker)) {
		t.Fatalf("%q is not in %s", marker, path)
	}
	flipped := []byte(marker)
	flipped[0] ^= 1
	data = bytes.ReplaceAll(data, []byte(marker), flipped)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDiskStore_FlippedBit(t *testing.T) {
	for name, marker := range map[string]string{"data": "precious", "vote": "candidate-b"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "raft.db")
			d := openTestStore(t, path)
			storeEntries(t, d, 1, 10, 1)
			err := errors.Join(
				d.StoreLog(&raft.Log{Index: 11, Term: 1, Type: raft.LogCommand, Data: []byte("precious")}),
				d.SetUint64(keyLastVoteTerm, 4), d.Set(keyLastVoteCand, []byte("candidate-b")),
				d.close())
			if err != nil {
				t.Fatal(err)
			}
			flip(t, path, marker)
			_, err = openDiskStore(path, &writeClock{}, func(error) {})
			var damaged *DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("a damaged log opens with error %v, want *DamagedError", err)
			}
		})
	}
}

func TestOpen_DamagedLog(t *testing.T) {
	t.Parallel()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir()})
	waitReady(t, m)
	write(t, "acknowledged", m)
	m.stop()
	flip(t, filepath.Join(m.cfg.Dir, "raft.db"), "acknowledged")
	_, err := Open(m.cfg, &toy{})
	var damaged *DamagedError
	if !errors.As(err, &damaged) {
		t.Fatalf("Open returns %v, want *DamagedError", err)
	}
	// Nothing leaks: the directory is free again.
	s, err := openStorage(m.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	s.close()
}

func TestDiskStore_AtomicVote(t *testing.T) {
	path := filepath.Join(t.TempDir(), "raft.db")
	d := openTestStore(t, path)
	if _, err := d.GetUint64(keyLastVoteTerm); err == nil || err.Error() != "not found" {
		t.Fatalf("no vote gives %v; Raft looks for the text \"not found\"", err)
	}
	if err := errors.Join(d.SetUint64(keyLastVoteTerm, 4), d.Set(keyLastVoteCand, []byte("b"))); err != nil {
		t.Fatal(err)
	}
	// The process dies between Raft's two writes of the next vote.
	if err := d.SetUint64(keyLastVoteTerm, 5); err != nil {
		t.Fatal(err)
	}
	d.close()
	d = openTestStore(t, path)
	term, err := d.GetUint64(keyLastVoteTerm)
	if err != nil {
		t.Fatal(err)
	}
	candidate, err := d.Get(keyLastVoteCand)
	if err != nil {
		t.Fatal(err)
	}
	if term != 4 || string(candidate) != "b" {
		t.Errorf("after the crash the vote is for %q in term %d, want \"b\" in term 4", candidate, term)
	}
	if err := errors.Join(d.SetUint64(keyLastVoteTerm, 5), d.Set(keyLastVoteCand, []byte("c"))); err != nil {
		t.Fatal(err)
	}
	if term, _ := d.GetUint64(keyLastVoteTerm); term != 5 {
		t.Errorf("the repeated vote is in term %d, want 5", term)
	}
}

func TestDiskStore_DeleteRange(t *testing.T) {
	const n = 3*deleteChunk + 10
	for _, tt := range []struct{ name, want string }{{"front", "back stays"}, {"back", "front stays"}} {
		t.Run(tt.name, func(t *testing.T) {
			d := openTestStore(t, filepath.Join(t.TempDir(), "raft.db"))
			storeEntries(t, d, 1, n, 1)
			wantFirst, wantLast := uint64(n-4), uint64(n)
			low, high := uint64(1), uint64(n-5)
			if tt.name == "back" {
				low, high, wantFirst, wantLast = 6, n, 1, 5
			}
			if err := d.DeleteRange(low, high); err != nil {
				t.Fatal(err)
			}
			first, err1 := d.FirstIndex()
			last, err2 := d.LastIndex()
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if first != wantFirst || last != wantLast {
				t.Errorf("entries %d to %d are left, want %d to %d", first, last, wantFirst, wantLast)
			}
		})
	}
}

func TestDiskStore_FailedWrite(t *testing.T) {
	var failures []error
	d, err := openDiskStore(filepath.Join(t.TempDir(), "raft.db"), &writeClock{}, func(err error) {
		failures = append(failures, err)
	})
	if err != nil {
		t.Fatal(err)
	}
	d.journal.close() // every write fails from now on
	for range 3 {
		if err := d.StoreLog(&raft.Log{Index: 1, Term: 1}); err == nil {
			t.Fatal("a write to a failed disk succeeds")
		}
	}
	if len(failures) != 1 {
		t.Errorf("%d failures reported, want 1", len(failures))
	}
}

func TestNode_ReadyFullDisk(t *testing.T) {
	m := start(t, Config{Dir: t.TempDir(), Expect: 1})
	waitReady(t, m)
	store, ok := m.store.(*diskStore)
	if !ok {
		t.Fatalf("got a log store of type %T, want *diskStore", m.store)
	}
	full := fmt.Errorf("write: %w", unix.ENOSPC)
	if err := store.write(1, func() error { return full }); !errors.Is(err, full) {
		t.Errorf("the write returned %v", err)
	}
	if err := m.Ready(); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("ready: %v", err)
	}
	if _, _, err := m.Apply(testkit.Context(t), []byte("fits")); err != nil {
		t.Fatal(err)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("after a write that fitted: %v", err)
	}
}

// Appends go to the journal, and together to bbolt. Unlike their time, its writes are the same on any machine.
func TestDiskStore_Writes(t *testing.T) {
	const appends, most = 1024, 512
	d := openTestStore(t, filepath.Join(t.TempDir(), "raft.db"))
	before := d.bolt.Stats().TxStats
	for i := range uint64(appends) {
		entry := &raft.Log{Index: i + 1, Term: 1, Type: raft.LogCommand, Data: make([]byte, 600)}
		if err := d.StoreLog(entry); err != nil {
			t.Fatal(err)
		}
	}
	after := d.bolt.Stats().TxStats
	if got := after.GetWrite() - before.GetWrite(); got == 0 || got > most {
		t.Errorf("got %d writes for %d appends, want 1 to %d", got, appends, most)
	}
}
