package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
)

// RequestID identifies a request with an idempotency key: it is a digest of the key and its principal.
type RequestID [16]byte

// NewRequestID returns a request's id. It is the same on every master.
func NewRequestID(principal, key string) (id RequestID) {
	b := make([]byte, 0, 128)
	b = binary.AppendUvarint(b, uint64(len(principal)))
	b = append(append(b, principal...), key...)
	sum := sha256.Sum256(b)
	copy(id[:], sum[:])
	return id
}

const used = `SELECT 1 FROM idempotency i JOIN job_state s ON s.seq >= i.seq AND s.seq < i.seq + max(i.count, 1)
WHERE n = ? AND request = ? LIMIT 1`

// SelectUsed finds an idempotency key whose jobs still exist.
var SelectUsed = Prepared(used)

var queryUsed = readOnly(used)

// KeyMadeJobs reports whether the submission or import whose key is in row n created jobs that still exist.
func (r Reader) KeyMadeJobs(ctx context.Context, n int64, id RequestID) (made bool, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		return db.each(ctx, queryUsed, func(*sql.Rows) error {
			made = true
			return nil
		}, n, id[:])
	})
	return made, err
}

// Requests reads the rows of all idempotency keys, in a transaction.
func (db *DB) Requests() (map[RequestID]int64, error) {
	row := make([]driver.Value, 1)
	if _, err := db.Row(row, selectLastKey); err != nil {
		return nil, err
	}
	last, _ := row[0].(int64)
	requests := make(map[RequestID]int64, min(last, maxPresized))
	table, err := db.OpenTable("idempotency", "request")
	if err != nil {
		return nil, err
	}
	return requests, table.Each(nil, func(n int64, f []Field) error {
		if len(f[0].Text) != len(RequestID{}) {
			return fmt.Errorf("idempotency key %d: its digest has %d bytes", n, len(f[0].Text))
		}
		requests[RequestID(f[0].Text)] = n
		return nil
	})
}

// maxPresized bounds the memory for keys that may have been removed.
const maxPresized = 1 << 17

var selectLastKey = Prepared(`SELECT max(n) FROM idempotency`)
