// Package sqlrows iterates over the rows of a query.
package sqlrows

import (
	"database/sql"
	"errors"
)

// Each calls scan for every row and closes rows. It takes the results of a query, error included.
func Each(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// Values is Each for rows of any columns: it calls each with their names and the row's values, which the next row
// overwrites.
func Values(rows *sql.Rows, err error, each func(columns []string, values []any) error) error {
	var columns []string
	var values, into []any
	return Each(rows, err, func(rows *sql.Rows) (err error) {
		if values == nil {
			if columns, err = rows.Columns(); err != nil {
				return err
			}
			values, into = make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		return each(columns, values)
	})
}
