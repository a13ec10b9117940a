package store

import (
	"context"
	"database/sql"
)

const used = `SELECT 1 FROM idempotency i JOIN job_state s ON s.seq >= i.seq AND s.seq < i.seq + max(i.count, 1)
WHERE principal = ? AND key = ? LIMIT 1`

// SelectUsed finds an idempotency key whose jobs still exist.
var SelectUsed = Prepared(used)

var queryUsed = readOnly(used)

// KeyMadeJobs reports whether a submission or an import with this idempotency key created
// jobs that still exist. It is false without a key.
func (r Reader) KeyMadeJobs(ctx context.Context, k RequestKey) (made bool, err error) {
	if k.Key == "" {
		return false, nil
	}
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryUsed, func(*sql.Rows) error {
			made = true
			return nil
		}, k.Principal, k.Key)
	})
	return made, err
}
