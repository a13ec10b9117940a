package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/raft"
)

// pendingEntries are the entries that the journal has and bbolt does not have yet.
// Safe for concurrent use.
type pendingEntries struct {
	mu   sync.RWMutex
	logs []*raft.Log // consecutive
}

// continuedBy reports whether logs may follow.
func (p *pendingEntries) continuedBy(logs []*raft.Log) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.logs) == 0 || p.logs[len(p.logs)-1].Index+1 == logs[0].Index
}

func (p *pendingEntries) add(logs []*raft.Log) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logs = append(p.logs, logs...)
}

// all returns the entries; they are not copied.
func (p *pendingEntries) all() []*raft.Log {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.logs[:len(p.logs):len(p.logs)]
}

func (p *pendingEntries) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logs = nil
}

// bounds returns the first and the last index, or 0 and 0.
func (p *pendingEntries) bounds() (first, last uint64) {
	logs := p.all()
	if len(logs) == 0 {
		return 0, 0
	}
	return logs[0].Index, logs[len(logs)-1].Index
}

// get copies an entry into l if it is there.
func (p *pendingEntries) get(index uint64, l *raft.Log) bool {
	logs := p.all()
	if len(logs) == 0 || index < logs[0].Index || index-logs[0].Index >= uint64(len(logs)) {
		return false
	}
	*l = *logs[index-logs[0].Index]
	return true
}

// openJournal gives bbolt the entries that only the journal has. Found is false when there
// was no journal.
func (d *diskStore) openJournal() (found bool, err error) {
	path := filepath.Join(filepath.Dir(d.path), journalFile)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		found = true
	} else if err := d.makeJournal(path); err != nil {
		return false, fmt.Errorf("raft journal: %w", err)
	}
	journal, logs, err := openJournal(path)
	if err != nil {
		return found, fmt.Errorf("raft journal: %w", err)
	}
	d.journal = journal
	if err := d.checkJournal(journal.id, logs); err != nil || len(logs) == 0 {
		return found, err
	}
	return found, d.spill(logs)
}

// makeJournal makes a journal with the id that the log knows, so that the one that is missing
// can be put back.
func (d *diskStore) makeJournal(path string) error {
	id, err := d.GetUint64(keyJournal)
	if errors.Is(err, errNotFound) {
		id = random64()
		err = d.bolt.Set(keyJournal, sealValue(binary.BigEndian.AppendUint64(nil, id)))
	}
	if err != nil {
		return err
	}
	return makeJournal(path, id)
}

// checkJournal refuses a journal of another log, and an old one whose entries the log has
// replaced since.
func (d *diskStore) checkJournal(id uint64, logs []*raft.Log) error {
	path := filepath.Join(filepath.Dir(d.path), journalFile)
	if own, err := d.GetUint64(keyJournal); err != nil && !errors.Is(err, errNotFound) {
		return err
	} else if own != id {
		return &DamagedError{Path: path, What: "it belongs to another log"}
	}
	for _, l := range logs {
		var stored raft.Log
		if err := d.GetLog(l.Index, &stored); errors.Is(err, raft.ErrLogNotFound) {
			continue
		} else if err != nil {
			return err
		}
		if stored.Term != l.Term {
			return &DamagedError{Path: path, What: fmt.Sprintf("its entry %d is not the log's", l.Index)}
		}
	}
	return nil
}

// store writes entries to the journal, or to bbolt with all that is in the journal.
func (d *diskStore) store(logs []*raft.Log) error {
	d.order.Lock()
	defer d.order.Unlock()
	if d.pending.continuedBy(logs) {
		if fits, err := d.journal.append(logs); err != nil {
			return err
		} else if fits {
			d.pending.add(logs)
			return nil
		}
	}
	return d.spill(logs)
}

// spill writes the journal's entries, and those that follow, to bbolt and empties the
// journal: what is deleted later must not come back from it.
func (d *diskStore) spill(more []*raft.Log) error {
	var sealed []*raft.Log
	for _, logs := range [][]*raft.Log{d.pending.all(), more} {
		for _, l := range logs {
			sealed = append(sealed, sealEntry(l))
		}
	}
	if len(sealed) == 0 {
		return nil
	}
	if err := d.bolt.StoreLogs(sealed); err != nil {
		return err
	}
	if err := d.journal.reset(); err != nil {
		return err
	}
	d.pending.clear()
	return nil
}

// settle has the entries up to an index in bbolt.
func (d *diskStore) settle(index uint64) error {
	return d.write(0, func() error {
		d.order.Lock()
		defer d.order.Unlock()
		if first, _ := d.pending.bounds(); first == 0 || first > index {
			return nil
		}
		return d.spill(nil)
	})
}
