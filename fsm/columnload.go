package fsm

import (
	"database/sql/driver"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

var selectColumns = store.Prepared(`SELECT t.seq, t.status, t.queue, t.priority, t.progress, t.node, s.scenario,
	s.created_at, s.labels
FROM job_state t JOIN job_spec s ON s.seq = t.seq WHERE t.seq >= ? AND t.seq < ? ORDER BY t.seq`)

const columnsOfRow = 9

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

// readChunk returns nil when no job of the chunk is left.
func readChunk(db *store.DB, n int) (*chunk, error) {
	var ch *chunk
	row := make([]driver.Value, columnsOfRow)
	err := db.Each(row, func() error {
		if ch == nil {
			ch = &chunk{}
		}
		ch.add(int(row[0].(int64)%chunkSize), columnRow{
			status: row[1].(int64), queue: row[2].(int64), priority: row[3].(int64), progress: row[4].(int64),
			node: row[5].(int64), scenario: store.Text(row[6]), created: row[7].(int64), labels: store.Text(row[8]),
		})
		return nil
	}, selectColumns, int64(n)*chunkSize, int64(n+1)*chunkSize)
	return ch, err
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
	ch, err := readChunk(s.DB, s.columns.low-1)
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.columns.low--
	s.columns.chunks[s.columns.low] = ch
	return s.columns.low > 0, nil
}
