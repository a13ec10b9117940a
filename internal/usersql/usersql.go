// Package usersql answers the SQL of users over a few views of the state, in a sandbox: each query has a database of
// its own, in memory, with virtual tables over the views and nothing else. The tokenizer is our own because the driver
// has no authorizer: several statements must be rejected before SQLite sees them.
package usersql

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// Limits of a result, of a value, and of all queries together.
const (
	MaxRows     = 10_000
	MaxRowBytes = 8 << 20   // of all rows
	maxValue    = 256 << 10 // of one value or row, also within the query
	maxQueries  = 2         // at once
)

// Limits bound one query.
type Limits struct {
	Time   time.Duration
	Memory int64 // bytes by which the process may grow
}

// DefaultLimits are those of a master.
var DefaultLimits = Limits{Time: 10 * time.Second, Memory: 256 << 20}

// memoryInterval is how often the process's growth is checked: a query allocates at most
// about a gigabyte a second.
const memoryInterval = 10 * time.Millisecond

// sqliteLimits are SQLite's, on a query's own connection.
var sqliteLimits = map[int]int{
	sqlite3.SQLITE_LIMIT_LENGTH:              maxValue,
	sqlite3.SQLITE_LIMIT_SQL_LENGTH:          ffrtmp.MaxSQLBytes + 1<<10,
	sqlite3.SQLITE_LIMIT_COLUMN:              500,
	sqlite3.SQLITE_LIMIT_EXPR_DEPTH:          200,
	sqlite3.SQLITE_LIMIT_COMPOUND_SELECT:     100,
	sqlite3.SQLITE_LIMIT_FUNCTION_ARG:        50,
	sqlite3.SQLITE_LIMIT_ATTACHED:            0,
	sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
	sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER:     0,
	sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH:       1,
	sqlite3.SQLITE_LIMIT_WORKER_THREADS:      0,
}

// Reader reads the state in one transaction.
type Reader interface {
	ReadTx(ctx context.Context, do func(context.Context, *sql.Tx) error) error
}

// Runner answers queries over the views of a state, a few at a time.
type Runner struct {
	state  Reader
	active chan struct{} // a token for each running query
	limits Limits
}

// New returns a Runner on a state.
func New(state Reader, limits Limits) *Runner {
	return &Runner{state: state, active: make(chan struct{}, maxQueries), limits: limits}
}

// Query runs a user's SQL over userViews, in one transaction. It uses an in-memory
// database of its own with nothing but these views: no statement can reach the state's
// tables, a file, or the writer.
func (r *Runner) Query(ctx context.Context, text string) (result ffrtmp.QueryResult, err error) {
	if text, err = checkSQL(text); err != nil {
		return result, err
	}
	select {
	case r.active <- struct{}{}:
		defer func() { <-r.active }()
	default:
		return result, ffrtmp.Errorf(ffrtmp.RateLimited, "too many queries (%d running)", maxQueries)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, r.limits.Time, ffrtmp.Errorf(ffrtmp.TooLarge,
		"the query takes longer than %s", r.limits.Time))
	defer stop()
	go watchMemory(ctx, r.limits.Memory, func() {
		cancel(ffrtmp.Errorf(ffrtmp.TooLarge, "query needs more than %d MiB of memory", r.limits.Memory>>20))
	})
	err = r.state.ReadTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return (&userQuery{ctx, tx}).run(text, &result)
	})
	var bounded *ffrtmp.Error
	if errors.As(context.Cause(ctx), &bounded) {
		return ffrtmp.QueryResult{}, bounded
	}
	var refused *sqlite.Error
	if errors.As(err, &refused) && isUserError(refused) {
		return ffrtmp.QueryResult{}, ffrtmp.FieldErrorf("sql", "%v", refused)
	}
	return result, err
}

// isUserError reports whether an error of SQLite is the statement's fault.
func isUserError(e *sqlite.Error) bool {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_AUTH,
		sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE, sqlite3.SQLITE_CONSTRAINT:
		return true
	}
	return false
}

// memoryDatabase opens a query's own database.
type memoryDatabase struct{}

// Connect implements driver.Connector.
func (memoryDatabase) Connect(context.Context) (driver.Conn, error) {
	return sandbox.Open(sqlitedsn.Memory("_pragma=temp_store(memory)", "_pragma=cache_size(-1024)", "_defensive=1"))
}

// Driver implements driver.Connector.
func (memoryDatabase) Driver() driver.Driver { return sandbox }

func (q *userQuery) run(text string, result *ffrtmp.QueryResult) (err error) {
	number, leave := q.enter()
	defer leave()
	db := sql.OpenDB(memoryDatabase{})
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(q.ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	for view := range userViews {
		if _, err := conn.ExecContext(q.ctx, fmt.Sprintf("CREATE VIRTUAL TABLE %s USING %s(%s, %s)", view, viewModule,
			number, view)); err != nil {
			return err
		}
	}
	if _, err := conn.ExecContext(q.ctx, "PRAGMA query_only = 1"); err != nil {
		return err
	}
	for id, value := range sqliteLimits {
		if _, err := sqlite.Limit(conn, id, value); err != nil {
			return err
		}
	}
	if result.Columns, err = columnsOf(conn, text); err != nil {
		return err
	}
	// The driver interrupts SQLite only before the first row, so the query must produce
	// all rows before it.
	whole := fmt.Sprintf("WITH the_answer AS MATERIALIZED (SELECT * FROM (\n%s\n) LIMIT %d) SELECT * FROM the_answer",
		text, MaxRows+1)
	rows, err := conn.QueryContext(q.ctx, whole)
	if err != nil {
		return err
	}
	return collect(rows, result)
}

// columnsOf compiles the statement and names its columns.
func columnsOf(conn *sql.Conn, text string) (names []string, err error) {
	names = []string{}
	err = conn.Raw(func(c any) error {
		describer, ok := c.(interface {
			ColumnInfo(query string) ([]sqlite.ColumnInfo, error)
		})
		if !ok {
			return errors.New("the SQLite driver cannot describe columns")
		}
		columns, err := describer.ColumnInfo(text)
		for _, column := range columns {
			names = append(names, column.Name)
		}
		return err
	})
	return names, err
}

// errFull stops reading at a result's limits.
var errFull = errors.New("result limit reached")

// collect reads rows up to the limits.
func collect(rows *sql.Rows, result *ffrtmp.QueryResult) error {
	result.Rows = [][]any{}
	size := 0
	err := sqlrows.Each(rows, nil, func(rows *sql.Rows) error {
		if len(result.Rows) == MaxRows || size > MaxRowBytes {
			result.Truncated = true
			return errFull
		}
		row := make([]any, len(result.Columns))
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range row {
			size += 16
			switch v := v.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v) * 4 / 3
			case float64:
				if math.IsInf(v, 0) || math.IsNaN(v) {
					row[i] = strconv.FormatFloat(v, 'g', -1, 64) // not a JSON number
				}
			}
		}
		result.Rows = append(result.Rows, row)
		return nil
	})
	result.Count = len(result.Rows)
	if result.Truncated && errors.Is(err, errFull) {
		return nil
	}
	return err
}

// watchMemory calls stop when the process has grown by more than limit bytes. SQLite itself bounds
// values, but not its memory for sorting and joining.
func watchMemory(ctx context.Context, limit int64, stop func()) {
	began := residentMemory()
	for ctxtime.Sleep(ctx, memoryInterval) == nil {
		if residentMemory()-began > limit {
			stop()
			return
		}
	}
}

// residentMemory is the process's anonymous memory in bytes; 0 if the kernel does not
// report it.
func residentMemory() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(fields[2]), 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}
