package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// openTestJournal opens a journal and returns it with the indexes of its entries.
func openTestJournal(t *testing.T, path string) (*journal, []uint64) {
	t.Helper()
	j, logs, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.close() })
	return j, indexes(logs)
}

func indexes(logs []*raft.Log) (all []uint64) {
	for _, l := range logs {
		all = append(all, l.Index)
	}
	return all
}

func appendFrame(t *testing.T, j *journal, first, last uint64, size int) {
	t.Helper()
	var logs []*raft.Log
	for i := first; i <= last; i++ {
		logs = append(logs, &raft.Log{Index: i, Term: 1, Data: []byte(strings.Repeat("x", size))})
	}
	if fits, err := j.append(logs); err != nil || !fits {
		t.Fatalf("append: got %v and %v", fits, err)
	}
}

// killed copies a store's files as they are when its process dies, and returns the log's path.
func killed(t *testing.T, path string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{logFile, journalFile, logMarkFile} {
		data, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, logFile)
}

// After a power cut a write that was not synced is there in part: the journal has it
// whole, or not at all, and everything from before.
func TestJournal_TornWrite(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), journalFile)
	if err := makeJournal(path, 1); err != nil {
		t.Fatal(err)
	}
	j, _ := openTestJournal(t, path)
	appendFrame(t, j, 1, 3, 100)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct {
		do         func()
		old, whole []uint64
	}{
		"append": {func() { appendFrame(t, j, 4, 8, 3000) }, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4, 5, 6, 7, 8}},
		"reset":  {func() { _ = j.reset() }, []uint64{1, 2, 3}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			j, _ = openTestJournal(t, path)
			change.do()
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			torn := filepath.Join(t.TempDir(), journalFile)
			for range 50 {
				cut := slices.Clone(before)
				for at := 0; at < len(cut); at += 512 {
					if random.IntN(2) == 0 {
						copy(cut[at:at+512], after[at:])
					}
				}
				if err := os.WriteFile(torn, cut, 0o600); err != nil {
					t.Fatal(err)
				}
				_, got := openTestJournal(t, torn)
				if !slices.Equal(got, change.old) && !slices.Equal(got, change.whole) {
					t.Fatalf("got entries %v, want %v or %v", got, change.old, change.whole)
				}
			}
		})
	}
}

// A flipped bit in a frame that others follow, or in the header, is damage. In the last frame
// it looks like a write that was cut short: the mark tells that the entries had been written.
func TestJournal_FlippedBit(t *testing.T) {
	path := filepath.Join(t.TempDir(), logFile)
	d := openTestStore(t, path)
	for i := range uint64(4) {
		storeEntries(t, d, 3*i+1, 3*i+3, 1)
	}
	whole := killed(t, path)
	for _, at := range []int64{
		journalPage, journalPage + 9, journalPage + 20, journalPage + 35, // the header
		journalFrames + 7, journalFrames + 12, journalFrames + 19, journalFrames + 22, journalFrames + 90,
		journalFrames + 2*journalPage + 40,                                // third
		journalFrames + 3*journalPage, journalFrames + 3*journalPage + 50, // last
	} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			path := killed(t, whole)
			name := filepath.Join(filepath.Dir(path), journalFile)
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			data[at] ^= 4
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if reason := refusal(t, path); reason == "" {
				t.Error("the log is trusted")
			}
		})
	}
}

// refusal opens a log and returns why it is not trusted, or "".
func refusal(t *testing.T, path string) string {
	t.Helper()
	d, err := openDiskStore(path, &writeClock{}, func(error) {})
	if untrusted(err) {
		return err.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	reason, err := d.lost(0)
	if err != nil {
		t.Fatal(err)
	}
	return reason
}

// A log without its journal is trusted only where the mark shows that nothing is missing.
func TestDiskStore_WithoutJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), logFile)
	d := openTestStore(t, path)
	storeEntries(t, d, 1, 9, 1)
	dead := killed(t, path)
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	stopped := killed(t, path)
	for _, tt := range []struct {
		name, path string
		missing    []string
		trusted    bool
	}{
		{"killed", dead, nil, true},
		{"killed, no journal", dead, []string{journalFile}, false},
		{"killed, no mark", dead, []string{logMarkFile}, true},
		{"stopped, no journal", stopped, []string{journalFile}, true},
		{"stopped, neither", stopped, []string{journalFile, logMarkFile}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := killed(t, tt.path)
			for _, name := range tt.missing {
				if err := os.Remove(filepath.Join(filepath.Dir(path), name)); err != nil {
					t.Fatal(err)
				}
			}
			if reason := refusal(t, path); (reason == "") != tt.trusted {
				t.Errorf("got refusal %q, want trusted %v", reason, tt.trusted)
			}
		})
	}
}

// A journal of another log, and an old one whose entries have been replaced since, are refused.
func TestDiskStore_OtherJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), logFile)
	d := openTestStore(t, path)
	storeEntries(t, d, 1, 9, 1)
	old := killed(t, path)
	if err := d.DeleteRange(5, 9); err != nil {
		t.Fatal(err)
	}
	storeEntries(t, d, 5, 12, 2)
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), logFile)
	storeEntries(t, openTestStore(t, foreign), 1, 12, 2)
	for name, other := range map[string]string{"old": old, "foreign": foreign} {
		t.Run(name, func(t *testing.T) {
			path := killed(t, path)
			data, err := os.ReadFile(filepath.Join(filepath.Dir(other), journalFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), journalFile), data, 0o600); err != nil {
				t.Fatal(err)
			}
			if reason := refusal(t, path); !strings.Contains(reason, journalFile) {
				t.Errorf("got refusal %q, want one that names %s", reason, journalFile)
			}
		})
	}
}

// A log that is written, truncated, compacted, stopped and killed at random holds what it should.
func TestDiskStore_Random(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := logWalk{random: rand.New(rand.NewPCG(seed, 7)), first: 1, next: 1, term: 1, terms: map[uint64]uint64{}}
			w.path = filepath.Join(t.TempDir(), logFile)
			w.store = openTestStore(t, w.path)
			for range 60 {
				if w.step(t) {
					w.check(t)
				}
			}
		})
	}
}

// logWalk changes a log and knows what it must hold.
type logWalk struct {
	random      *rand.Rand
	path        string
	store       *diskStore
	first, next uint64
	term        uint64
	terms       map[uint64]uint64 // by index
}

// step reports whether the log was opened again.
func (w *logWalk) step(t *testing.T) (opened bool) {
	t.Helper()
	switch n := w.random.IntN(20); {
	case n == 0 && w.next > w.first: // conflict
		low := w.first + w.random.Uint64N(w.next-w.first)
		if err := w.store.DeleteRange(low, w.next-1); err != nil {
			t.Fatal(err)
		}
		w.next = low
		w.term++
	case n == 1 && w.next > w.first: // compaction
		high := w.first + w.random.Uint64N(w.next-w.first)
		if err := w.store.DeleteRange(w.first, high); err != nil {
			t.Fatal(err)
		}
		w.first = high + 1
	case n == 2:
		if err := w.store.close(); err != nil {
			t.Fatal(err)
		}
		w.store = openTestStore(t, w.path)
		return true
	case n == 3:
		w.path = killed(t, w.path)
		w.store = openTestStore(t, w.path)
		return true
	default:
		w.append(t)
	}
	return false
}

func (w *logWalk) append(t *testing.T) {
	t.Helper()
	var logs []*raft.Log
	for range 1 + w.random.IntN(8) {
		size := w.random.IntN(3000)
		if w.random.IntN(100) == 0 {
			size = journalSize
		}
		w.terms[w.next] = w.term
		logs = append(logs, &raft.Log{Index: w.next, Term: w.term, Data: make([]byte, size)})
		w.next++
	}
	if err := w.store.StoreLogs(logs); err != nil {
		t.Fatal(err)
	}
}

func (w *logWalk) check(t *testing.T) {
	t.Helper()
	first, err1 := w.store.FirstIndex()
	last, err2 := w.store.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if w.first == w.next && first == 0 && last == 0 {
		return
	}
	if first != w.first || last != w.next-1 {
		t.Fatalf("got entries %d to %d, want %d to %d", first, last, w.first, w.next-1)
	}
	for i := first; i <= last; i++ {
		w.store.cache.clear()
		var l raft.Log
		if err := w.store.GetLog(i, &l); err != nil || l.Term != w.terms[i] || l.Index != i {
			t.Fatalf("entry %d: got index %d, term %d and %v, want term %d", i, l.Index, l.Term, err, w.terms[i])
		}
	}
}
