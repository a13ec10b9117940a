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
	vacuumSlack = 16  // up to 1/16 of a file may be free pages, which new rows reuse
	vacuumLeast = 256 // minimum number of free pages to start
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
		// The file shrinks once the WAL is checkpointed.
		return false, db.Checkpoint()
	}
	return true, db.drain(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
}

// Checkpoint writes the WAL into the database file as far as no reader needs the old pages.
func (db *DB) Checkpoint() error { return db.drain("PRAGMA wal_checkpoint(PASSIVE)") }

// drain executes SQL by reading its rows.
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
