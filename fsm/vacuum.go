package fsm

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

const (
	vacuumPages = 64  // given back in one go
	vacuumSlack = 16  // a file may be empty to the 16th part: new rows want room again
	vacuumLeast = 256 // pages that are worth beginning for
)

// vacuumRest is how long vacuum rests between two portions, each of which takes
// about a tenth of it.
const vacuumRest = 40 * time.Millisecond

// startVacuum has the space of rows that were removed given back to the file
// system, unless that is under way.
func (f *FSM) startVacuum() {
	if f.life.Err() != nil || f.vacuuming.Swap(true) {
		return
	}
	f.background.Go(func() {
		defer f.vacuuming.Store(false)
		for {
			more, err := f.vacuumSome()
			if err != nil {
				f.log.Warn("space could not be given back to the file system; the next removal tries again", "error", err)
			}
			if !more || err != nil || ctxtime.Sleep(f.life, vacuumRest) != nil {
				return
			}
		}
	})
}

// vacuumSome gives back a portion between two entries. What the database says does
// not change by it, so each master does it by itself.
func (f *FSM) vacuumSome() (more bool, err error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.halted.Load() || f.state == nil {
		return false, nil
	}
	w := f.state.w
	free, err := w.value("PRAGMA freelist_count")
	if err != nil {
		return false, err
	}
	pages, err := w.value("PRAGMA page_count")
	if err != nil {
		return false, err
	}
	if free <= max(vacuumLeast, pages/vacuumSlack) {
		// The file ends earlier once the WAL has been written into it.
		return false, w.drain("PRAGMA wal_checkpoint(PASSIVE)")
	}
	err = w.drain(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
	return true, err
}

// drain executes SQL that does its work while its rows are read.
func (w *writer) drain(sql string) error {
	rows, err := w.conn.(driver.QueryerContext).QueryContext(context.Background(), sql, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	row := make([]driver.Value, len(rows.Columns()))
	for err == nil {
		err = rows.Next(row)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, rows.Close())
}
