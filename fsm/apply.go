package fsm

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// tx applies one ApplyBatch in the open transaction. The first error of the database is
// kept in err; it ends the process, so commands need not check it.
type tx struct {
	*state
	metrics *metrics
	events  packedEvents
	claimed []claimed // results of its claims, in one array to save allocations
	now     int64
	actor   Actor // of the command
	err     error
}

func (t *tx) exec(s store.Statement, args ...driver.Value) {
	if t.err == nil {
		t.err = t.DB.Exec(s, args...)
	}
}

func (t *tx) row(dest []driver.Value, s store.Statement, args ...driver.Value) bool {
	if t.err != nil {
		return false
	}
	found, err := t.DB.Row(dest, s, args...)
	t.err = err
	return found && err == nil
}

// Apply implements raft.FSM.
func (f *FSM) Apply(entry *raft.Log) any { return f.ApplyBatch([]*raft.Log{entry})[0] }

// ApplyBatch implements raft.BatchingFSM. Entries are collected in a transaction that
// stays open, for a short time, over several calls (see collect.go). The response to an
// entry is a []any with the result of each of its commands, or nil for an entry that is
// not a command or was applied before. A database error or an entry that cannot be
// decoded is fatal.
func (f *FSM) ApplyBatch(entries []*raft.Log) []any {
	timer := prometheus.NewTimer(f.metrics.apply)
	defer timer.ObserveDuration()
	responses := make([]any, len(entries))
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.halted.Load() {
		return responses
	}
	if f.tail != nil {
		f.tail.keep(entries)
	}
	switch err := f.applyAll(entries, responses); {
	case errors.Is(err, errClosed):
		f.halted.Store(true)
	case err != nil:
		f.halt(fmt.Errorf("apply entries %d to %d: %w", entries[0].Index, entries[len(entries)-1].Index, err))
		return make([]any, len(entries))
	}
	return responses
}

// applyAll applies entries in as few transactions as possible: a restore is one of its own, and a check sees what
// has been committed right behind it.
func (f *FSM) applyAll(entries []*raft.Log, responses []any) error {
	for len(entries) > 0 {
		n := slices.IndexFunc(entries, isAlone)
		switch n {
		case -1:
			n = len(entries)
		case 0:
			n = 1
		}
		if err := f.applySome(entries[:n], responses[:n]); err != nil {
			return err
		}
		entries, responses = entries[n:], responses[n:]
	}
	return nil
}

func isAlone(entry *raft.Log) bool {
	kind := aloneKind(entry)
	return kind == KindRestore || kind == KindCheck
}

// applySome applies entries in one transaction.
func (f *FSM) applySome(entries []*raft.Log, responses []any) (err error) {
	s := f.state
	if s == nil {
		return errors.New("state not verified")
	}
	if entries[len(entries)-1].Index <= s.meta.Index {
		return nil
	}
	if isRestore(entries[0]) {
		if err := f.attach(entries[0]); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.detach()) }()
	}
	if err := f.begin(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &tx{state: s, metrics: &f.metrics}
	commands, bytes := 0, 0
	for i, entry := range entries {
		if entry.Index <= s.meta.Index {
			continue
		}
		if entry.Type == raft.LogCommand {
			list, err := decodeEntry(entry.Data)
			if err != nil {
				return fmt.Errorf("entry %d: %w", entry.Index, err)
			}
			responses[i] = t.applyEntry(entry.Index, list)
			t.saveEvents(entry.Index)
			commands += len(list)
		}
		s.meta.Index, s.meta.Term = entry.Index, entry.Term
		bytes += len(entry.Data)
	}
	if t.err != nil {
		return t.err
	}
	f.publish(s)
	s.wake = false
	if s.renewed {
		s.renewed, s.pruned = false, true
		f.renewed.send()
	}
	if err := f.collect(commands, bytes); err != nil {
		return err
	}
	if s.pruned {
		s.pruned = false
		f.startVacuum()
	}
	if c := s.check; c != nil {
		s.check = nil
		return f.startSum(c)
	}
	return nil
}

func (t *tx) applyEntry(index uint64, list []enveloped) []any {
	results := make([]any, len(list))
	for i := range list {
		c := &list[i]
		t.meta.Time = max(t.meta.Time, c.time)
		t.now = t.meta.Time
		t.ready.due(t.now)
		t.actor = c.actor
		results[i] = t.applyOnce(c)
		t.record(index, i, c, results[i])
		if refused, ok := results[i].(*ffrtmp.Error); ok && refused.Code == ffrtmp.StaleAttempt {
			t.metrics.stale.Inc()
		}
	}
	return results
}

// errClosed stops applying without an error.
var errClosed = errors.New("state is closed")
