package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// raftStore is where Raft keeps its log, its term and its vote.
type raftStore interface {
	raft.LogStore
	raft.StableStore
}

// markInterval bounds how old the mark is after a crash of the machine.
const markInterval = 5 * time.Second

// deleteChunk bounds how many entries one transaction deletes, so that a big
// compaction does not hold appends up for seconds.
const deleteChunk = 1024

// diskStore is Raft's log and stable store in one bbolt file, with a journal in front of it
// for the newest entries. bbolt does not check the data it reads, so every entry and value
// carries a checksum.
//
// After a failed write the disk's content is unknown (a kernel may drop the
// dirty pages and report success next time), so the store then refuses
// everything; only a full disk, which is reported before bbolt commits, can be
// tried again.
type diskStore struct {
	bolt    *raftboltdb.BoltStore
	order   sync.Mutex // held while entries are written or deleted
	journal *journal
	pending pendingEntries
	mark    *markFile
	path    string
	clock   *writeClock
	sizes   meanSize
	cache   logCache
	full    atomic.Bool // the last write found the disk full

	mu     sync.Mutex
	failed error
	// committed is what must not be taken back.
	committed committedIndex
	onFail    func(error) // called once, with the first failure

	pendingVoteTerm uint64 // see stable.go; touched by Raft's main loop only
}

// openDiskStore opens or creates the file and reads all of it once, so that
// damage is found before this master takes part in anything. A file that lacks
// what the mark beside it names is a *LostLogError.
func openDiskStore(path string, clock *writeClock, onFail func(error)) (*diskStore, error) {
	if err := checkBolt(path); err != nil && !isNew(path) {
		return nil, err
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			// Without these, single appends slow down six-fold once the first
			// big compaction has left a long free list.
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
	if err != nil {
		return nil, fmt.Errorf("raft log %s: %w", path, err)
	}
	d := &diskStore{bolt: bolt, path: path, clock: clock, onFail: onFail}
	found, err := d.openJournal()
	if err == nil {
		err = d.verify()
	}
	if err == nil {
		err = d.openMark(found)
	}
	if err != nil {
		return nil, errors.Join(err, d.closeFiles())
	}
	return d, nil
}

// closeFiles closes what is open.
func (d *diskStore) closeFiles() error {
	err := d.bolt.Close()
	if d.journal != nil {
		err = errors.Join(err, d.journal.close())
	}
	if d.mark != nil {
		err = errors.Join(err, d.mark.close())
	}
	return err
}

// isNew reports whether bbolt would make the file: a process that dies while it does
// leaves an empty one.
func isNew(path string) bool {
	info, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0
}

// openMark takes the mark from the file beside the log, or from the log when there is none:
// then nothing but the journal, if there was one, shows that the log is whole.
func (d *diskStore) openMark(journaled bool) error {
	holds, err := d.holds()
	if err != nil {
		return err
	}
	mark, found, err := openMark(filepath.Join(filepath.Dir(d.path), logMarkFile))
	if err != nil {
		return fmt.Errorf("raft log's mark: %w", err)
	}
	d.mark = mark
	if !found && !journaled && holds.index > 0 {
		return &LostLogError{Path: d.path, Reason: "neither " + journalFile + " nor " + logMarkFile + " is beside it"}
	}
	if !found {
		// What it named cannot be known any more; from now on it is kept again.
		return mark.lower(func(m *logMark) { *m = holds })
	}
	return nil
}

// holds returns the mark that the log by itself would have.
func (d *diskStore) holds() (m logMark, err error) {
	if m.index, err = d.LastIndex(); err != nil {
		return m, err
	}
	if m.index > 0 {
		var l raft.Log
		if err := d.GetLog(m.index, &l); err != nil {
			return m, err
		}
		m.term = l.Term
	}
	if m.currentTerm, err = d.GetUint64(keyCurrentTerm); ignoreNotFound(err) != nil {
		return m, err
	}
	term, candidate, err := d.vote()
	if ignoreNotFound(err) != nil {
		return m, err
	}
	if err == nil {
		m.voteTerm, m.voteFor = term, voteSum(candidate)
	}
	return m, nil
}

func voteSum(candidate []byte) uint32 { return crc32.Checksum(candidate, castagnoli) }

// lost returns what the mark names and the log does not hold, or "". Entries up to
// covered are in a snapshot.
func (d *diskStore) lost(covered uint64) (string, error) {
	holds, err := d.holds()
	if err != nil {
		return "", err
	}
	mark := d.mark.current()
	switch {
	case mark.index > max(holds.index, covered):
		return fmt.Sprintf("it ends at entry %d, but entry %d was written", max(holds.index, covered), mark.index), nil
	case mark.currentTerm > holds.currentTerm:
		return fmt.Sprintf("its term is %d, but term %d was written", holds.currentTerm, mark.currentTerm), nil
	case mark.voteTerm > holds.voteTerm, mark.voteTerm == holds.voteTerm && mark.voteFor != holds.voteFor:
		return fmt.Sprintf("the vote in term %d is not in it", mark.voteTerm), nil
	case mark.index <= covered:
		return "", nil
	}
	var l raft.Log
	if err := d.GetLog(mark.index, &l); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return "", err
	}
	if l.Term != mark.term {
		return fmt.Sprintf("its entry %d has term %d, but one of term %d was written",
			mark.index, l.Term, mark.term), nil
	}
	return "", nil
}

// verify reads every entry and value.
func (d *diskStore) verify() error {
	first, err := d.FirstIndex()
	if err != nil {
		return err
	}
	last, err := d.LastIndex()
	if err != nil {
		return err
	}
	for i := first; i <= last && first > 0; i++ {
		var l raft.Log
		// A gap is legal: Raft leaves one where it installed a snapshot.
		if err := d.GetLog(i, &l); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			return err
		}
	}
	for _, key := range [][]byte{keyCurrentTerm, keyVote} {
		if _, err := d.get(key); err != nil && !errors.Is(err, errNotFound) {
			return err
		}
	}
	return nil
}

// FirstIndex implements raft.LogStore.
func (d *diskStore) FirstIndex() (uint64, error) {
	pending, _ := d.pending.bounds() // before bbolt, which they move to
	first, err := d.bolt.FirstIndex()
	if first == 0 {
		first = pending
	}
	return first, err
}

// LastIndex implements raft.LogStore.
func (d *diskStore) LastIndex() (uint64, error) {
	_, pending := d.pending.bounds()
	last, err := d.bolt.LastIndex()
	return max(last, pending), err
}

// GetLog implements raft.LogStore. A bad checksum is a *DamagedError.
func (d *diskStore) GetLog(index uint64, l *raft.Log) error {
	if d.cache.get(index, l) || d.pending.get(index, l) {
		return nil
	}
	return d.readLog(index, l)
}

// readLog reads an entry from the disk.
func (d *diskStore) readLog(index uint64, l *raft.Log) error {
	err := d.bolt.GetLog(index, l)
	if errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if err != nil || !unsealEntry(l, index) {
		return &DamagedError{Path: d.path, What: fmt.Sprintf("log entry %d", index)}
	}
	return nil
}

// StoreLog implements raft.LogStore.
func (d *diskStore) StoreLog(l *raft.Log) error { return d.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (d *diskStore) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	size := 0
	for _, l := range logs {
		size += len(l.Data)
	}
	d.sizes.add(len(logs), size)
	err := d.write(size, func() error {
		if err := d.store(logs); err != nil {
			return err
		}
		last := logs[len(logs)-1]
		return d.mark.update(func(m *logMark) { m.index, m.term = last.Index, last.Term })
	})
	if err == nil {
		d.cache.add(logs)
	}
	return err
}

// DeleteRange implements raft.LogStore. Raft deletes the oldest entries once a
// snapshot covers them, and the newest when its leader has others in their place:
// those must not be known to be committed.
func (d *diskStore) DeleteRange(low, high uint64) error {
	d.cache.clear()
	if err := d.settle(high); err != nil {
		return err
	}
	last, err := d.LastIndex()
	if err != nil {
		return err
	}
	if high < last || low > last {
		return d.delete(low, high)
	}
	if committed := d.committed.index(); low <= committed {
		return d.fail(&TruncateError{Low: low, High: last, Committed: committed})
	}
	return d.truncate(low, high)
}

// truncate deletes the newest entries, whatever is known of them.
func (d *diskStore) truncate(low, high uint64) error {
	var before raft.Log
	if err := d.GetLog(low-1, &before); err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	err := d.write(0, func() error {
		return d.mark.lower(func(m *logMark) { m.index, m.term = before.Index, before.Term })
	})
	if err != nil {
		return err
	}
	return d.delete(low, high)
}

// delete works in chunks, from the end of the range that keeps the rest of the log
// free of holes after a crash.
func (d *diskStore) delete(low, high uint64) error {
	first, err := d.FirstIndex()
	if err != nil {
		return err
	}
	fromFront := low <= first
	low = max(low, first)
	for low <= high {
		a, b := low, high
		if b-a >= deleteChunk {
			if fromFront {
				b = a + deleteChunk - 1
			} else {
				a = b - deleteChunk + 1
			}
		}
		if err := d.write(0, func() error { return d.bolt.DeleteRange(a, b) }); err != nil {
			return err
		}
		if fromFront {
			low = b + 1
		} else {
			high = a - 1
		}
	}
	return nil
}

// write runs one transaction under the watchdog's clock.
func (d *diskStore) write(size int, tx func() error) error {
	d.mu.Lock()
	failed := d.failed
	d.mu.Unlock()
	if failed != nil {
		return failed
	}
	done := d.clock.begin(size)
	err := tx()
	done()
	d.full.Store(errors.Is(err, unix.ENOSPC))
	if err == nil {
		return nil
	}
	err = fmt.Errorf("raft log %s: %w", d.path, err)
	if d.full.Load() {
		return err
	}
	return d.fail(err)
}

// fail refuses everything from now on.
func (d *diskStore) fail(err error) error {
	d.mu.Lock()
	first := d.failed == nil
	d.failed = err
	d.mu.Unlock()
	if first {
		d.onFail(err)
	}
	return err
}

// keepMark syncs the mark from time to time, beside the writes.
func (d *diskStore) keepMark(ctx context.Context) {
	for range every(ctx, markInterval) {
		if err := d.mark.sync(); err != nil {
			_ = d.fail(err) // which notifies the node
			return
		}
	}
}

// close waits for the write in flight. It leaves the whole log in the bbolt file.
func (d *diskStore) close() error {
	d.mu.Lock()
	failed := d.failed
	d.mu.Unlock()
	if failed != nil {
		return d.closeFiles()
	}
	return errors.Join(d.settle(math.MaxUint64), d.closeFiles())
}
