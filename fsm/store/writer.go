package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// Statement numbers a statement of the writer. Each stands beside the function
// that uses it and is prepared when a database is opened.
type Statement int

var statements []string

// Prepared registers a statement of the writer. Call it only in package variables: open databases do not get
// new statements.
func Prepared(sql string) Statement {
	statements = append(statements, sql)
	return Statement(len(statements) - 1)
}

// writer is the only connection that writes. It uses the driver directly: the pool, locks
// and conversions of database/sql would add a third to the cost of a small statement.
// One goroutine at a time may use it.
type writer struct {
	conn  driver.Conn
	stmts []preparedStmt
	args  []driver.NamedValue

	executed int64
}

// Executed is how many statements have been executed: what a command costs, whatever the machine does besides.
func (w *writer) Executed() int64 { return w.executed }

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
// released to the file system step by step. The page cache is just large enough for Apply:
// SQLite scans all of it on the commit of a transaction that has balanced a tree, which
// took a fifth of the time with 64 MiB.
func openWriter(path string) (writer, error) {
	connector, err := sqlite.NewConnector(sqlitedsn.File(path, busyTimeout, "_txlock=immediate", "_auto_vacuum=2",
		"_pragma=journal_mode(wal)", "_pragma=synchronous(off)",
		"_pragma=cache_size(-16384)", "_pragma=wal_autocheckpoint(4000)", "_pragma=temp_store(memory)"))
	if err != nil {
		return writer{}, err
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return writer{}, err
	}
	return writer{conn: conn}, nil
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
	if w.conn == nil {
		return nil
	}
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

// Exec executes a statement.
func (w *writer) Exec(s Statement, args ...driver.Value) error {
	_, err := w.exec(s, args)
	return err
}

// Insert executes an INSERT and returns the number of the row.
func (w *writer) Insert(s Statement, args ...driver.Value) (int64, error) {
	result, err := w.exec(s, args)
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

func (w *writer) exec(s Statement, args []driver.Value) (driver.Result, error) {
	w.executed++
	result, err := w.stmts[s].ExecContext(context.Background(), w.bind(args))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statements[s], err)
	}
	return result, nil
}

// Row reads the first row of a result and reports whether there is one.
func (w *writer) Row(dest []driver.Value, s Statement, args ...driver.Value) (bool, error) {
	found := false
	err := w.Each(dest, func() error { found = true; return ErrStop }, s, args...)
	if errors.Is(err, ErrStop) {
		err = nil
	}
	return found, err
}

// ErrStop is returned by a callback to stop the iteration.
var ErrStop = errors.New("stop")

// Each calls do for every row of a result, after reading it into dest.
func (w *writer) Each(dest []driver.Value, do func() error, s Statement, args ...driver.Value) (err error) {
	w.executed++
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

// scanner returns a function that copies a row of the writer, as sql.Rows.Scan copies
// one of a reader.
func scanner(row []driver.Value) func(into ...any) error {
	return func(into ...any) error {
		if len(into) != len(row) {
			return fmt.Errorf("scan: got %d columns, want %d", len(row), len(into))
		}
		for i, v := range row {
			if err := assign(into[i], v); err != nil {
				return fmt.Errorf("scan column %d: %w", i, err)
			}
		}
		return nil
	}
}

func assign(into any, v driver.Value) error {
	if s, ok := into.(sql.Scanner); ok {
		return s.Scan(v)
	}
	if s, ok := into.(*string); ok {
		*s, ok = v.(string)
		return mismatch(ok, into, v)
	}
	n, ok := v.(int64)
	switch p := into.(type) {
	case *int:
		*p = int(n)
	case *int64:
		*p = n
	case *uint64:
		*p = uint64(n)
	case *Hold:
		*p = Hold(n)
	default:
		ok = false
	}
	return mismatch(ok, into, v)
}

func mismatch(ok bool, into any, v driver.Value) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%T into %T", v, into)
}

// run executes SQL that is not one of the prepared statements.
func (w *writer) run(sql string) error {
	if _, err := w.conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// query runs a query that is not one of the prepared statements.
func (w *writer) query(sql string) (driver.Rows, error) {
	rows, err := w.conn.(driver.QueryerContext).QueryContext(context.Background(), sql, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sql, err)
	}
	return rows, nil
}

// value reads the integer in the first column of a result.
func (w *writer) value(sql string) (int64, error) {
	rows, err := w.query(sql)
	if err != nil {
		return 0, err
	}
	dest := make([]driver.Value, len(rows.Columns()))
	err = errors.Join(rows.Next(dest), rows.Close())
	n, ok := dest[0].(int64)
	if err != nil || !ok {
		return 0, fmt.Errorf("%s: %v: %w", sql, dest[0], err)
	}
	return n, nil
}

// IsBusy reports whether another process holds the lock.
func IsBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
