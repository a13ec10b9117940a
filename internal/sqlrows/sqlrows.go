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
