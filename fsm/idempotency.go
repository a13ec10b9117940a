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
	selectIdempotency = store.Prepared(`SELECT hash, seq, count FROM idempotency WHERE n = ?`)
	insertIdempotency = store.Prepared(`INSERT INTO idempotency (request, hash, seq, count, created_at)
	VALUES (?, ?, ?, ?, ?)`)
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

func (d Done) keep() kept {
	if d.Status != "" {
		return kept{d.Seq, store.Code(store.StatusCodes, d.Status)}
	}
	return kept{d.Seq, int64(d.Count)}
}

// applyOnce applies a command unless a request with its idempotency key has
// succeeded before; then the result is that of the earlier one.
func (t *tx) applyOnce(c *enveloped) any {
	if c.idempotency.Key == "" {
		return c.command.apply(t)
	}
	hash := c.idempotency.Hash[:]
	id := store.NewRequestID(c.idempotency.Principal, c.idempotency.Key)
	if k, earlier, ok := t.earlier(id); ok {
		if !bytes.Equal(earlier, hash) {
			return ffrtmp.Errorf(ffrtmp.Conflict, "idempotency key %q was used for another request", c.idempotency.Key)
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
	t.keep(id, hash, k)
	return result
}

// keep stores what is kept of a request with an idempotency key.
func (t *tx) keep(id store.RequestID, hash []byte, k kept) {
	if t.err != nil {
		return
	}
	var n int64
	if n, t.err = t.DB.Insert(insertIdempotency, id[:], hash, int64(k.seq), k.count, t.now); t.err == nil {
		t.requests[id] = n
	}
}

// forget removes a request's idempotency key.
func (t *tx) forget(id store.RequestID) {
	t.exec(deleteKey, t.requests[id])
	delete(t.requests, id)
}

// earlier returns what is stored of an earlier request with the same id, and the request's hash.
func (t *tx) earlier(id store.RequestID) (k kept, hash []byte, ok bool) {
	n, ok := t.requests[id]
	if !ok {
		return k, nil, false
	}
	row := make([]driver.Value, 3)
	if !t.row(row, selectIdempotency, n) {
		return k, nil, false
	}
	k = kept{uint64(row[1].(int64)), row[2].(int64)}
	return k, row[0].([]byte), t.replayable(k.seq, id)
}

// Submitted reports whether a submission or an import with this idempotency key created
// jobs that still exist. It is false without a key.
func (f *FSM) Submitted(ctx context.Context, id Idempotency) (bool, error) {
	if id.Key == "" {
		return false, nil
	}
	request := store.NewRequestID(id.Principal, id.Key)
	f.mu.RLock()
	var n int64
	if f.state != nil {
		n = f.state.requests[request]
	}
	f.mu.RUnlock()
	if n == 0 {
		return false, nil
	}
	return f.KeyMadeJobs(ctx, n, request)
}
