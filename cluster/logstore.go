package cluster

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

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

// deleteChunk bounds how many entries one transaction deletes, so that a big
// compaction does not hold appends up for seconds.
const deleteChunk = 1024

// diskStore is Raft's log and stable store in one bbolt file. bbolt does not
// check the data it reads, so every entry and value carries a checksum.
//
// After a failed write nobody knows what the disk holds (a kernel may drop the
// dirty pages and report success next time), so the store then refuses
// everything; only a full disk, which is reported before bbolt commits, can be
// tried again.
type diskStore struct {
	bolt  *raftboltdb.BoltStore
	path  string
	clock *writeClock
	sizes meanSize
	full  atomic.Bool // the last write found no room

	mu     sync.Mutex
	failed error
	onFail func(error) // called once, with the first failure

	pendingVoteTerm uint64 // see stable.go; touched by Raft's main loop only
}

// openDiskStore opens or creates the file and reads all of it once, so that
// damage is found before this master takes part in anything.
func openDiskStore(path string, clock *writeClock, onFail func(error)) (*diskStore, error) {
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
	if err := d.verify(); err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return d, nil
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
func (d *diskStore) FirstIndex() (uint64, error) { return d.bolt.FirstIndex() }

// LastIndex implements raft.LogStore.
func (d *diskStore) LastIndex() (uint64, error) { return d.bolt.LastIndex() }

// GetLog implements raft.LogStore. A bad checksum is a *DamagedError.
func (d *diskStore) GetLog(index uint64, l *raft.Log) error {
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
	sealed := make([]*raft.Log, len(logs))
	size := 0
	for i, l := range logs {
		sealed[i] = sealEntry(l)
		size += len(l.Data)
	}
	d.sizes.add(len(logs), size)
	return d.write(size, func() error { return d.bolt.StoreLogs(sealed) })
}

// DeleteRange implements raft.LogStore. It deletes in chunks, from the end of
// the range that keeps the rest of the log free of holes after a crash.
func (d *diskStore) DeleteRange(low, high uint64) error {
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
	d.mu.Lock()
	first := d.failed == nil
	d.failed = err
	d.mu.Unlock()
	if first {
		d.onFail(err)
	}
	return err
}

// close waits for the transaction in flight.
func (d *diskStore) close() error { return d.bolt.Close() }
