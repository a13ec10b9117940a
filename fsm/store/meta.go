package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// Meta is the row about the whole state.
type Meta struct {
	Index, Term uint64 // of the last applied Raft entry
	Time        int64  // of the newest command, ns
	NextSeq     uint64
	// Cumulative: retention does not lower them.
	Submitted, Completed, Failed, Canceled, Retries, Losses int64
	// LeaseEpoch counts restores: a lease of an earlier epoch is worth nothing.
	LeaseEpoch int64
}

var (
	selectMeta = Prepared(`SELECT applied_index, applied_term, time, next_seq, submitted, completed, failed, canceled,
	retries, losses, lease_epoch FROM meta`)
	updateMeta = Prepared(`UPDATE meta SET applied_index = ?, applied_term = ?, time = ?, next_seq = ?,
	submitted = ?, completed = ?, failed = ?, canceled = ?, retries = ?, losses = ?, lease_epoch = ? WHERE one = 1`)
	beginImmediate = Prepared(`BEGIN IMMEDIATE`)
	commit         = Prepared(`COMMIT`)
)

// Meta reads the row.
func (db *DB) Meta() (m Meta, err error) {
	row := make([]driver.Value, 11)
	found, err := db.Row(row, selectMeta)
	if err != nil || !found {
		return m, fmt.Errorf("read meta: found %v: %w", found, err)
	}
	n := func(i int) int64 { return row[i].(int64) }
	return Meta{uint64(n(0)), uint64(n(1)), n(2), uint64(n(3)), n(4), n(5), n(6), n(7), n(8), n(9), n(10)}, nil
}

// Consistently runs read, in which the writer reads one state of the database.
func (db *DB) Consistently(read func() error) (err error) {
	if err := db.run("BEGIN"); err != nil {
		return err
	}
	return errors.Join(read(), db.run("COMMIT"))
}

// Begin begins a write transaction. If another process holds the lock, IsBusy is true for its error.
func (db *DB) Begin() error { return db.Exec(beginImmediate) }

// Commit writes the row and commits the transaction.
func (db *DB) Commit(m *Meta) error {
	err := db.Exec(updateMeta, int64(m.Index), int64(m.Term), m.Time, int64(m.NextSeq), m.Submitted, m.Completed,
		m.Failed, m.Canceled, m.Retries, m.Losses, m.LeaseEpoch)
	if err != nil {
		return err
	}
	return db.Exec(commit)
}
