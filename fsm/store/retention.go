package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

var (
	queryBorn   = readOnly(`SELECT seq, created_at FROM job_spec WHERE seq >= ? ORDER BY seq LIMIT 1`)
	queryNewest = readOnly(`SELECT coalesce(max(seq), 0) FROM job_spec`)
	queryOver   = readOnly(`SELECT seq FROM job_state WHERE seq > ? AND seq < ? AND status >= ?
	AND completed_at < ? ORDER BY seq LIMIT ?`)
	queryOldEvents = readOnly(`SELECT EXISTS (SELECT 1 FROM (SELECT time FROM event ORDER BY idx LIMIT 1)
	WHERE time < ?)`)
	queryKeys = readOnly(`SELECT n, request, created_at < ? AND NOT EXISTS
	(SELECT 1 FROM job_state WHERE i.seq > 0 AND seq >= i.seq AND seq < i.seq + max(i.count, 1))
FROM idempotency i WHERE n > ? ORDER BY n LIMIT ?`)
)

// OldJobs returns up to limit jobs after a number that finished before a time, in order.
// Its cost does not grow with history: jobs are numbered in order of creation, so it
// stops at the first job created later. (Imported jobs are older than their numbers:
// they are found when the jobs created before their import are old.)
func (r Reader) OldJobs(ctx context.Context, before time.Time, after uint64, limit int) (seqs []uint64, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		end, err := db.firstBornAt(ctx, before)
		if err != nil {
			return err
		}
		return db.each(ctx, queryOver, func(r *sql.Rows) error {
			var seq uint64
			err := r.Scan(&seq)
			seqs = append(seqs, seq)
			return err
		}, int64(after), int64(end), StatusCompleted, before.UnixNano(), limit)
	})
	return seqs, err
}

// firstBornAt returns the number of the first job created at a time or later, or one
// higher than all.
func (db *DB) firstBornAt(ctx context.Context, at time.Time) (uint64, error) {
	var low, high uint64
	if err := db.queries[queryNewest].QueryRowContext(ctx).Scan(&high); err != nil {
		return 0, err
	}
	for high++; low < high; {
		var seq uint64
		var born int64
		middle := low + (high-low)/2
		err := db.queries[queryBorn].QueryRowContext(ctx, int64(middle)).Scan(&seq, &born)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && born >= at.UnixNano():
			high = middle
		case err != nil:
			return 0, err
		default:
			low = seq + 1
		}
	}
	return low, nil
}

// HasOldEvents reports whether there are events before a time.
func (r Reader) HasOldEvents(ctx context.Context, before time.Time) (old bool, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.queries[queryOldEvents].QueryRowContext(ctx, before.UnixNano()).Scan(&old)
	})
	return old, err
}

// OldKeys checks the next limit idempotency keys after one. It returns those that were
// used before a time and have no jobs, and where to continue: 0 when all were checked.
func (r Reader) OldKeys(ctx context.Context, before time.Time, after int64, limit int) (old []RequestID,
	next int64, err error,
) {
	seen := 0
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryKeys, func(r *sql.Rows) error {
			var unused bool
			var request []byte
			if err := r.Scan(&next, &request, &unused); err != nil {
				return err
			}
			seen++
			if unused {
				old = append(old, RequestID(request))
			}
			return nil
		}, before.UnixNano(), after, limit)
	})
	if seen < limit {
		next = 0
	}
	return old, next, err
}
