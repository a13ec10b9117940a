package fsm

import (
	"fmt"
	"time"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Bounds of the transaction that collects entries. Durability is the Raft log's: what is
// not committed when the process dies is applied again from there.
const (
	collectAlone    = 1                     // commands that are committed at once
	collectTime     = 40 * time.Millisecond // from its first entry
	collectCommands = 512
	collectBytes    = 1 << 20 // of entries
)

// collected is the transaction that entries are applied in, if one is open. Its owner
// holds FSM.applying.
type collected struct {
	open     bool
	began    time.Time
	commands int
	bytes    int
	timer    *time.Timer // commits it after limit

	checkpoint *time.Timer // runs FSM.checkpoint when due
	due        bool

	// The constants, except in tests.
	alone        int
	limit, delay time.Duration
}

// begin opens the transaction unless it is open. If another process holds the write lock
// (an operator with sqlite3), begin waits without limit.
func (f *FSM) begin() error {
	if f.collected.open {
		return nil
	}
	for {
		if f.closing.Load() {
			return errClosed
		}
		err := f.state.Begin()
		if err == nil {
			f.collected.open, f.collected.began = true, time.Now()
			return nil
		}
		if !store.IsBusy(err) {
			return err
		}
		f.log.Warn("waiting for another process to release the database lock", "db",
			f.state.Path())
	}
}

// end marks it as closed.
func (c *collected) end() {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.open, c.commands, c.bytes, c.timer = false, 0, 0, nil
}

// collect counts what was applied, and decides whether the transaction stays open. What
// a single client does is committed before it is answered, so that other programs see it
// at once, and the loss of a single master's log loses none of it: only concurrent
// commands are worth collecting. A restore is committed because SQLite detaches no file
// within a transaction.
func (f *FSM) collect(commands, bytes int) error {
	c := &f.collected
	c.commands += commands
	c.bytes += bytes
	if f.state.backup != nil || commands <= c.alone || c.commands >= collectCommands || c.bytes >= collectBytes ||
		time.Since(c.began) >= c.limit {
		return f.commit()
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(c.limit, func() {
			_ = f.settle() // which ends the process if it fails
		})
	}
	return nil
}

// commit writes the applied index with all that the transaction has collected. The
// caller holds applying.
func (f *FSM) commit() error {
	if !f.collected.open {
		return nil
	}
	if f.failed.Load() {
		return errFailed
	}
	if err := f.state.Commit(&f.state.meta); err != nil {
		return fmt.Errorf("commit entries up to %d: %w", f.state.meta.Index, err)
	}
	f.committed.Store(f.state.meta.Index)
	f.collected.end()
	f.scheduleCheckpoint()
	return nil
}

// settle commits what has been applied, so that a reader sees it.
func (f *FSM) settle() error {
	if f.committed.Load() >= f.Index() {
		return nil
	}
	f.applying.Lock()
	defer f.applying.Unlock()
	err := f.commit()
	if err != nil && !f.failed.Load() {
		f.halt(err)
	}
	return err
}
