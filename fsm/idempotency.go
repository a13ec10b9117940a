package fsm

import (
	"bytes"
	"database/sql/driver"

	"ffrtmp/job"
)

// Done is the result of a command that makes nothing.
type Done struct {
	Seq      uint64 // of the first job that it was about, or 0
	Count    int    // of jobs changed
	Replayed bool   // an earlier request with the same idempotency key did it
}

var (
	selectIdempotency = prepared(`SELECT hash, seq, count FROM idempotency WHERE principal = ? AND key = ?`)
	insertIdempotency = prepared(`INSERT INTO idempotency (principal, key, hash, seq, count, created_at) VALUES (?, ?, ?, ?, ?, ?)`)
)

// applyOnce applies a command unless a request with its idempotency key has
// succeeded before; then the result is that of the earlier one.
func (t *tx) applyOnce(c enveloped) any {
	id := c.idempotency
	if id.Key == "" {
		return c.command.apply(t)
	}
	row := make([]driver.Value, 3)
	if t.row(row, selectIdempotency, id.Principal, id.Key) {
		if !bytes.Equal(row[0].([]byte), id.Hash[:]) {
			return job.Errorf(job.Conflict, "the idempotency key %q was used for another request", id.Key)
		}
		seq, count := uint64(row[1].(int64)), int(row[2].(int64))
		if _, ok := c.command.(*submit); ok {
			return Submitted{Jobs: t.submitted(seq, count), Replayed: true}
		}
		return Done{Seq: seq, Count: count, Replayed: true}
	}
	result := c.command.apply(t)
	var seq uint64
	var count int
	switch r := result.(type) {
	case *job.Error:
		return r
	case Submitted:
		seq, count = r.Jobs[0].SequenceNumber, len(r.Jobs)
	case Done:
		seq, count = r.Seq, r.Count
	}
	if bulk, ok := c.command.(*cancelMany); ok && !bulk.final {
		return result
	}
	t.exec(insertIdempotency, id.Principal, id.Key, id.Hash[:], int64(seq), int64(count), t.now)
	return result
}
