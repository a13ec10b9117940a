package fsm

import "time"

// checkpointDelay is how long a change may be in the database's WAL only. Afterwards the database file has it, and its
// true size.
const checkpointDelay = 5 * time.Second

// scheduleCheckpoint makes the checkpoint due, unless it is. The caller holds applying.
func (f *FSM) scheduleCheckpoint() {
	c := &f.collected
	if c.due || f.life.Err() != nil {
		return
	}
	c.due = true
	if c.checkpoint == nil {
		c.checkpoint = time.AfterFunc(c.delay, f.checkpoint)
		return
	}
	c.checkpoint.Reset(c.delay)
}

// checkpoint writes what the WAL holds into the database file, between two entries. It does not wait for readers: what
// they hold back is written after a later change.
func (f *FSM) checkpoint() {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.life.Err() != nil || f.halted.Load() || f.state == nil || f.state.backup != nil {
		f.collected.due = false
		return
	}
	err := f.commit()
	f.collected.due = false
	if err != nil {
		f.halt(err)
		return
	}
	if err := f.state.Checkpoint(); err != nil {
		f.log.Warn("cannot checkpoint the database; retrying after the next change", "error", err)
	}
}
