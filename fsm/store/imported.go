package store

import (
	"context"
	"database/sql"
	"encoding/json"
)

var queryImported = readOnly(`SELECT id, seq FROM job_spec WHERE id IN (SELECT value FROM json_each(?1))
UNION SELECT id, seq FROM imported WHERE id IN (SELECT value FROM json_each(?1))`)

// KnownJobs returns the numbers of the ids that an import would skip.
func (r Reader) KnownJobs(ctx context.Context, ids []string) (map[string]uint64, error) {
	list, err := json.Marshal(ids)
	if err != nil {
		return nil, err
	}
	known := map[string]uint64{}
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryImported, func(rows *sql.Rows) error {
			var id string
			var seq uint64
			err := rows.Scan(&id, &seq)
			known[id] = seq
			return err
		}, string(list))
	})
	return known, err
}
