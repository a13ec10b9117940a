package fsm

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// statement numbers a statement of the writer. Each stands beside the function
// that uses it and is prepared when a database is opened.
type statement int

var statements []string

func prepared(sql string) statement {
	statements = append(statements, sql)
	return statement(len(statements) - 1)
}

// writer is the one connection that writes. It speaks to the driver itself:
// the pool, locks and conversions of database/sql would cost a third of a small
// statement. One goroutine at a time may use it.
type writer struct {
	conn  driver.Conn
	stmts []preparedStmt
	args  []driver.NamedValue
}

type preparedStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// busyTimeout is how long SQLite itself waits for another process's lock before it fails.
const busyTimeout = "_pragma=busy_timeout(1000)"

// openWriter opens the database file with everything that Apply relies on. WAL
// lets queries read while Apply writes; synchronous=OFF because durability is the
// Raft log's (see the package's documentation); auto_vacuum so that space can be
// given back to the file system bit by bit. The page cache holds what Apply touches
// and no more: SQLite looks through all of it on the commit of a transaction that has
// balanced a tree, which with 64 MiB took a fifth of the time.
func openWriter(path string) (*writer, error) {
	connector, err := sqlite.NewConnector(sqlitedsn.File(path, busyTimeout, "_txlock=immediate", "_auto_vacuum=2", "_pragma=journal_mode(wal)", "_pragma=synchronous(off)",
		"_pragma=cache_size(-16384)", "_pragma=wal_autocheckpoint(4000)", "_pragma=temp_store(memory)"))
	if err != nil {
		return nil, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &writer{conn: conn}, nil
}

func (w *writer) prepare() error {
	for _, sql := range statements {
		s, err := w.conn.Prepare(sql)
		if err != nil {
			return fmt.Errorf("prepare %s: %w", sql, err)
		}
		w.stmts = append(w.stmts, s.(preparedStmt))
	}
	return nil
}

func (w *writer) close() error {
	errs := make([]error, 0, len(w.stmts)+1)
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

func (w *writer) bind(args []driver.Value) []driver.NamedValue {
	w.args = w.args[:0]
	for i, v := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return w.args
}

func (w *writer) exec(s statement, args ...driver.Value) error {
	if _, err := w.stmts[s].ExecContext(context.Background(), w.bind(args)); err != nil {
		return fmt.Errorf("%s: %w", statements[s], err)
	}
	return nil
}

// row reads the first row of an answer and reports whether there is one.
func (w *writer) row(dest []driver.Value, s statement, args ...driver.Value) (bool, error) {
	found := false
	err := w.each(dest, func() error { found = true; return errStop }, s, args...)
	if errors.Is(err, errStop) {
		err = nil
	}
	return found, err
}

var errStop = errors.New("stop")

// each calls do for every row of an answer, after it has been read into dest.
func (w *writer) each(dest []driver.Value, do func() error, s statement, args ...driver.Value) (err error) {
	rows, err := w.stmts[s].QueryContext(context.Background(), w.bind(args))
	if err != nil {
		return fmt.Errorf("%s: %w", statements[s], err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for {
		switch err := rows.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", statements[s], err)
		}
		if err := do(); err != nil {
			return err
		}
	}
}

// run executes SQL that is not one of the prepared statements.
func (w *writer) run(sql string) error {
	if _, err := w.conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// value reads the integer in the first column of an answer.
func (w *writer) value(sql string) (int64, error) {
	rows, err := w.conn.(driver.QueryerContext).QueryContext(context.Background(), sql, nil)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", sql, err)
	}
	dest := make([]driver.Value, len(rows.Columns()))
	err = errors.Join(rows.Next(dest), rows.Close())
	n, ok := dest[0].(int64)
	if err != nil || !ok {
		return 0, fmt.Errorf("%s: %v: %w", sql, dest[0], err)
	}
	return n, nil
}

// isBusy reports whether another process holds a lock that is in the way.
func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

func null(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

// text reads a column that may be NULL.
func text(v driver.Value) string {
	s, _ := v.(string)
	return s
}
