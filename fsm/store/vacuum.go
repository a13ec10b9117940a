package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

const (
	vacuumPages = 64  // released in one step
	vacuumSlack = 16  // up to this part of a file may be free pages: new rows reuse them
	vacuumLeast = 256 // free pages; with fewer it is not worth beginning
)

// Vacuum releases some free pages to the file system and reports whether there are more to release.
func (db *DB) Vacuum() (more bool, err error) {
	free, err := db.value("PRAGMA freelist_count")
	if err != nil {
		return false, err
	}
	pages, err := db.value("PRAGMA page_count")
	if err != nil {
		return false, err
	}
	if free <= max(vacuumLeast, pages/vacuumSlack) {
		// The file ends earlier once the WAL has been written into it.
		return false, db.drain("PRAGMA wal_checkpoint(PASSIVE)")
	}
	return true, db.drain(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
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
