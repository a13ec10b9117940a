package fsm

import (
	"bytes"
	"context"
	"database/sql/driver"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Done is the result of a command that creates nothing.
type Done struct {
	Seq      uint64        // of its first job, or 0
	Count    int           // of jobs changed
	Status   ffrtmp.Status // that an action gave its job
	Replayed bool          // an earlier request with the same idempotency key did it
}

var (
	selectIdempotency = store.Prepared(`SELECT hash, seq, count FROM idempotency WHERE principal = ? AND key = ?`)
	insertIdempotency = store.Prepared(`INSERT INTO idempotency (principal, key, hash, seq, count, created_at)
	VALUES (?,
	?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
)

// kept is the part of a command's result that is stored under its idempotency key: the number of its first job,
// or 0, and a count whose meaning depends on the command.
type kept struct {
	seq   uint64
	count int64
}

// keeper is a result that is stored in part.
type keeper interface{ keep() kept }

// replayer is a command whose repetition is answered with more than a Done. The state may have moved on since.
type replayer interface{ replay(t *tx, k kept) any }

// partial is one of several commands of a request: only the last one completes it.
type partial interface{ partial() bool }

// predictable is a command whose result keeps what is known before it is applied.
type predictable interface{ predict(t *tx) kept }

func (d Done) keep() kept {
	if d.Status != "" {
		return kept{d.Seq, store.Code(store.StatusCodes, d.Status)}
	}
	return kept{d.Seq, int64(d.Count)}
}

// applyOnce applies a command unless a request with its idempotency key has
// succeeded before; then the result is that of the earlier one.
func (t *tx) applyOnce(c *enveloped) any {
	id := &c.idempotency
	if id.Key == "" {
		return c.command.apply(t)
	}
	if p, ok := c.command.(predictable); ok && t.keep(id, p.predict(t)) {
		return t.applyKept(c)
	}
	if k, hash, ok := t.earlier(id); ok {
		if !bytes.Equal(hash, id.Hash[:]) {
			return ffrtmp.Errorf(ffrtmp.Conflict, "idempotency key %q was used for another request", id.Key)
		}
		if r, ok := c.command.(replayer); ok {
			return r.replay(t, k)
		}
		return Done{Seq: k.seq, Count: int(k.count), Replayed: true}
	}
	result := c.command.apply(t)
	if _, refused := result.(*ffrtmp.Error); refused {
		return result
	}
	if p, ok := c.command.(partial); ok && p.partial() {
		return result
	}
	var k kept
	if r, ok := result.(keeper); ok {
		k = r.keep()
	}
	t.keep(id, k)
	return result
}

// applyKept applies a command whose key is kept already: nearly every key is new, and
// looking for it first would cost a search on every master.
func (t *tx) applyKept(c *enveloped) any {
	result := c.command.apply(t)
	if _, refused := result.(*ffrtmp.Error); refused {
		t.exec(deleteKey, c.idempotency.Principal, c.idempotency.Key)
	}
	return result
}

// keep stores what is kept under a key. It reports whether the key was new.
func (t *tx) keep(id *Idempotency, k kept) bool {
	return t.insertNew(insertIdempotency, id.Principal, id.Key, id.Hash[:], int64(k.seq), k.count, t.now)
}

// earlier returns what is stored of an earlier request with the idempotency key, and the request's hash.
func (t *tx) earlier(id *Idempotency) (k kept, hash []byte, ok bool) {
	row := make([]driver.Value, 3)
	if !t.row(row, selectIdempotency, id.Principal, id.Key) {
		return k, nil, false
	}
	k = kept{uint64(row[1].(int64)), row[2].(int64)}
	return k, row[0].([]byte), t.replayable(k.seq, store.RequestKey{Principal: id.Principal, Key: id.Key})
}

// Submitted reports whether a submission or an import with this idempotency key created
// jobs that still exist. It is false without a key.
func (f *FSM) Submitted(ctx context.Context, id Idempotency) (bool, error) {
	return f.KeyMadeJobs(ctx, store.RequestKey{Principal: id.Principal, Key: id.Key})
}
