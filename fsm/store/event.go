package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
)

// Events are the events of one Raft entry, packed as package fsm packs them.
type Events struct {
	Index uint64 // of the entry
	Time  int64  // of the first, ns
	Count int64
	Data  []byte
}

// MaxEntries bounds the entries of one call of EachEvents.
const MaxEntries = 256

var (
	queryEvents = readOnly(fmt.Sprintf(`SELECT idx, time, count, data FROM event WHERE idx >= ?
	ORDER BY idx LIMIT %d`, MaxEntries))
	queryEventCount = readOnly(`SELECT count FROM event WHERE idx = ?`)
	queryFloor      = readOnly(`SELECT idx, n FROM event_floor`)
)

// EachEvents calls do for the events of up to MaxEntries entries, starting at an index, until do returns an error.
// It returns the newest pruned event: no newer one was missing when the rows were read.
func (r Reader) EachEvents(ctx context.Context, from uint64, do func(Events) error) (floor ffrtmp.EventID, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		err := db.each(ctx, queryEvents, func(rows *sql.Rows) error {
			var e Events
			if err := rows.Scan(&e.Index, &e.Time, &e.Count, &e.Data); err != nil {
				return err
			}
			return do(e)
		}, int64(from))
		if err != nil && !errors.Is(err, ErrStop) {
			return err
		}
		// Read last, so that it includes what was pruned before the rows were read.
		return db.queries[queryFloor].QueryRowContext(ctx).Scan(&floor.Index, &floor.N)
	})
	return floor, err
}

// EventCount returns how many events an entry has.
func (r Reader) EventCount(ctx context.Context, index uint64) (count uint32, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		err := db.queries[queryEventCount].QueryRowContext(ctx, int64(index)).Scan(&count)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return count, err
}
