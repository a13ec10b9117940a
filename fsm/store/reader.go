package store

import (
	"context"
	"database/sql"

	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// query numbers a statement of the readers. Each stands beside the function that
// uses it and is prepared when a database is opened.
type query int

var queries []string

func readOnly(sql string) query {
	queries = append(queries, sql)
	return query(len(queries) - 1)
}

// Reader answers queries from the current database. Every method may be called from any goroutine.
type Reader struct {
	acquire func() (db *DB, release func(), err error)
}

// NewReader returns a Reader. acquire returns the current database (see DB.Use), and an error when there is none.
func NewReader(acquire func() (db *DB, release func(), err error)) Reader { return Reader{acquire} }

// Use keeps the database open until release is called.
func (db *DB) Use() (release func()) {
	db.inUse.RLock()
	return db.inUse.RUnlock
}

// read calls do with the database, which stays open until do returns, and a context that
// bounds the read.
func (r Reader) read(ctx context.Context, do func(context.Context, *DB) error) error {
	db, release, err := r.acquire()
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return do(ctx, db)
}

// ReadTx calls do with a read-only transaction.
func (r Reader) ReadTx(ctx context.Context, do func(context.Context, *sql.Tx) error) error {
	return r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.readTx(ctx, func(tx *sql.Tx) error { return do(ctx, tx) })
	})
}

func (db *DB) readTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := db.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // read-only
	return do(tx)
}

// each calls scan for every row of a result.
func (db *DB) each(ctx context.Context, q query, scan func(*sql.Rows) error, args ...any) error {
	rows, err := db.queries[q].QueryContext(ctx, args...)
	return sqlrows.Each(rows, err, scan)
}

// Path is the file of the database, "" when there is none.
func (r Reader) Path() string {
	db, release, err := r.acquire()
	if err != nil {
		return ""
	}
	defer release()
	return db.path
}
