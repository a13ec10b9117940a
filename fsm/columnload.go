package fsm

import (
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// loadNewest loads the newest chunk, to which new jobs are added. The others may be loaded later.
func (c *columns) loadNewest(db *store.DB, nextSeq uint64) error {
	c.low = int(nextSeq/chunkSize) + 1
	c.chunks = make([]*chunk, c.low)
	return c.loadNext(db)
}

// loadNext loads the newest chunk that is not loaded yet.
func (c *columns) loadNext(db *store.DB) error {
	ch, err := readChunk(db, c.low-1)
	if err == nil {
		c.low--
		c.chunks[c.low] = ch
	}
	return err
}

// chunkRows are what columns keep of the jobs of a chunk, while it is read.
type chunkRows struct {
	rows  [chunkSize]columnRow
	found [chunkSize]bool
}

// readChunk reads a chunk from the pages of both tables, in a transaction. It returns nil when no job of the chunk is
// left.
func readChunk(db *store.DB, n int) (ch *chunk, err error) {
	wanted := make([]int64, chunkSize)
	for i := range wanted {
		wanted[i] = int64(n)*chunkSize + int64(i)
	}
	read := &chunkRows{}
	if err := read.states(db, wanted); err != nil {
		return nil, err
	}
	specs, err := db.OpenTable("job_spec", "scenario", "labels", "created_at")
	if err != nil {
		return nil, err
	}
	err = specs.Each(wanted, func(seq int64, f []store.Field) error {
		i := int(seq % chunkSize)
		if !read.found[i] {
			return nil
		}
		if ch == nil {
			ch = &chunk{}
		}
		row := read.rows[i]
		row.scenario, row.labels, row.created = string(f[0].Text), string(f[1].Text), f[2].Int
		ch.add(i, row)
		return nil
	})
	return ch, err
}

// states reads what job_state has.
func (r *chunkRows) states(db *store.DB, wanted []int64) error {
	states, err := db.OpenTable("job_state", "status", "queue", "priority", "node", "progress")
	if err != nil {
		return err
	}
	return states.Each(wanted, func(seq int64, f []store.Field) error {
		i := int(seq % chunkSize)
		r.found[i] = true
		r.rows[i] = columnRow{
			status: f[0].Int, queue: f[1].Int, priority: f[2].Int, node: f[3].Int, progress: f[4].Int,
		}
		return nil
	})
}

// startColumns loads the columns of a state in the background, a chunk at a time between two entries, which takes
// some milliseconds. Meanwhile lists wait where they reach what is not loaded.
func (f *FSM) startColumns(s *state) {
	if f.life.Err() != nil {
		close(s.columns.loaded)
		return
	}
	loaded := s.columns.loaded // a restore replaces it
	f.background.Go(func() {
		defer close(loaded)
		for {
			if more, err := f.loadColumns(s); err != nil {
				f.log.Error("cannot read the jobs that lists select from", "error", err)
				return
			} else if !more {
				return
			}
		}
	})
}

// loadColumns loads one chunk. It reports whether there are more.
func (f *FSM) loadColumns(s *state) (more bool, err error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.state != s || f.halted.Load() || f.life.Err() != nil || s.columns.low == 0 {
		return false, nil
	}
	var ch *chunk
	read := func() (err error) { ch, err = readChunk(s.DB, s.columns.low-1); return err }
	if f.collected.open { // the writer is in a transaction
		err = read()
	} else {
		err = s.DB.Consistently(read)
	}
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.columns.low--
	s.columns.chunks[s.columns.low] = ch
	return s.columns.low > 0, nil
}
