// Package v22 reads the SQLite database of a v2.2 master and translates its jobs and nodes
// to this version's types. It never changes the file.
package v22

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"

	"modernc.org/sqlite"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// Database is an open v2.2 database.
type Database struct {
	db   *sql.DB
	path string
}

// Open opens the database of a v2.2 master, which should have been stopped.
func Open(ctx context.Context, path string) (*Database, error) {
	mode, err := modeOf(path)
	if err != nil {
		return nil, err
	}
	dsn := sqlitedsn.File(path, mode, "_pragma=query_only(1)", "_pragma=busy_timeout(5000)")
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	d := &Database{db: sql.OpenDB(connector), path: path}
	for _, table := range []string{"jobs", "nodes"} {
		columns, err := d.columns(ctx, table)
		if err == nil && len(columns) == 0 {
			err = fmt.Errorf("not the database of a v2.2 master: no table %s", table)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), d.Close())
		}
	}
	return d, nil
}

// modeOf returns a mode that creates and changes no file beside the database if possible.
// After a clean stop there is no WAL, and the file can be read as immutable. The WAL of a
// killed master can be read only with SQLite's shared-memory file.
func modeOf(path string) (string, error) {
	if info, err := os.Stat(path); err != nil {
		return "", err
	} else if info.IsDir() {
		return "", fmt.Errorf("%s is a directory", path)
	}
	info, err := os.Stat(path + "-wal")
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && info.Size() == 0:
		return "mode=ro&immutable=1", nil
	case err != nil:
		return "", err
	}
	return "mode=ro", nil
}

// Close closes the database.
func (d *Database) Close() error { return d.db.Close() }

// byNumber orders jobs so that those that get a new number come last and take no other job's. The number is text where
// a CSV file was imported.
const byNumber = `CAST(` + numberColumn + ` AS INTEGER) <= 0, CAST(` + numberColumn + ` AS INTEGER), `

// columns returns the columns of a table, but not of a view.
func (d *Database) columns(ctx context.Context, table string) (map[string]bool, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT c.name FROM sqlite_master t, pragma_table_info(t.name) c
	WHERE t.type = 'table' AND t.name = ?`, table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		columns[name] = true
	}
	return columns, rows.Err()
}

// record maps columns to a row's text; NULL and a missing column are "".
type record map[string]string

// records returns the rows of a table in order.
func (d *Database) records(ctx context.Context, table, order string, wanted []string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		if err := d.each(ctx, table, order, wanted, func(r record) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("%s: read %s: %w", d.path, table, err))
		}
	}
}

// translated translates rows up to the first error.
func translated[T any](rows iter.Seq2[record, error], translate func(record) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for r, err := range rows {
			var row T
			if err == nil {
				row = translate(r)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (d *Database) each(ctx context.Context, table, order string, wanted []string, do func(record) bool) error {
	have, err := d.columns(ctx, table)
	if err != nil {
		return err
	}
	var names []string
	for _, name := range wanted {
		if have[name] {
			names = append(names, name)
		}
	}
	switch {
	case !have[order]:
		order = ""
	case order == numberColumn:
		order = byNumber
	default:
		order += ", "
	}
	query := `SELECT CAST(` + strings.Join(names, ` AS TEXT), CAST(`) + ` AS TEXT) FROM ` + table +
		` ORDER BY ` + order + `rowid`
	rows, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		r := record{}
		for i, name := range names {
			r[name] = values[i].String
		}
		if !do(r) {
			return nil
		}
	}
	return rows.Err()
}
