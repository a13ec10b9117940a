// Package v22 reads the SQLite database of a v2.2 master and says what its jobs and
// nodes are in this version's words. It changes nothing: neither the file nor what it
// says, beyond translation.
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
	connector, err := sqlite.NewConnector(sqlitedsn.File(path, mode, "_pragma=query_only(1)", "_pragma=busy_timeout(5000)"))
	if err != nil {
		return nil, err
	}
	d := &Database{db: sql.OpenDB(connector), path: path}
	for _, table := range []string{"jobs", "nodes"} {
		columns, err := d.columns(ctx, table)
		if err == nil && len(columns) == 0 {
			err = fmt.Errorf("it has no table %s: it is not the database of a v2.2 master", table)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), d.Close())
		}
	}
	return d, nil
}

// modeOf returns how to open a database so that nothing beside it is made or changed:
// one whose master was stopped well has no WAL, and is read as it lies there. What a
// killed one has left in the WAL can only be read together with it.
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

// columns returns the columns of a table; views do not count.
func (d *Database) columns(ctx context.Context, table string) (map[string]bool, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT c.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name = ?`, table)
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

// record is a row as text, by column; what is NULL, or a column that this database
// does not have yet, is "".
type record map[string]string

// records returns the rows of a table in order.
func (d *Database) records(ctx context.Context, table, order string, wanted []string) iter.Seq2[record, error] {
	return func(yield func(record, error) bool) {
		if err := d.each(ctx, table, order, wanted, func(r record) bool { return yield(r, nil) }); err != nil {
			yield(nil, fmt.Errorf("%s: read %s: %w", d.path, table, err))
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
	if have[order] {
		order += ", "
	} else {
		order = ""
	}
	rows, err := d.db.QueryContext(ctx, `SELECT CAST(`+strings.Join(names, ` AS TEXT), CAST(`)+` AS TEXT) FROM `+table+` ORDER BY `+order+`rowid`)
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
