package fsm

import (
	"bytes"
	"context"
	"database/sql/driver"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Done is the result of a command that makes nothing.
type Done struct {
	Seq      uint64        // of the first job that it was about, or 0
	Count    int           // of jobs changed
	Status   ffrtmp.Status // that an action gave its job
	Replayed bool          // an earlier request with the same idempotency key did it
}

var (
	selectIdempotency = store.Prepared(`SELECT hash, seq, count FROM idempotency WHERE principal = ? AND key = ?`)
	insertIdempotency = store.Prepared(`INSERT INTO idempotency (principal, key, hash, seq, count, created_at) VALUES (?, ?, ?, ?, ?, ?)`)
)

// applyOnce applies a command unless a request with its idempotency key has
// succeeded before; then the result is that of the earlier one.
func (t *tx) applyOnce(c *enveloped) any {
	id := &c.idempotency
	if id.Key == "" {
		return c.command.apply(t)
	}
	row := make([]driver.Value, 3)
	if t.row(row, selectIdempotency, id.Principal, id.Key) && t.replayable(uint64(row[1].(int64)), store.RequestKey{Principal: id.Principal, Key: id.Key}) {
		if !bytes.Equal(row[0].([]byte), id.Hash[:]) {
			return ffrtmp.Errorf(ffrtmp.Conflict, "the idempotency key %q was used for another request", id.Key)
		}
		return t.replay(c.command, uint64(row[1].(int64)), row[2].(int64))
	}
	result := c.command.apply(t)
	var seq uint64
	var count int64
	switch r := result.(type) {
	case *ffrtmp.Error:
		return r
	case Submitted:
		seq, count = r.Jobs[0].SequenceNumber, int64(len(r.Jobs))
	case Imported:
		seq, count = r.from, int64(r.span)
	case Resulted:
		seq, count = r.Seq, int64(r.Retry)
	case Done:
		seq, count = r.Seq, int64(r.Count)
		if r.Status != "" {
			count = store.Code(store.StatusCodes, r.Status)
		}
	}
	if bulk, ok := c.command.(*cancelMany); ok && !bulk.final {
		return result
	}
	t.exec(insertIdempotency, id.Principal, id.Key, id.Hash[:], int64(seq), count, t.now)
	return result
}

// replay returns the result of a command that was carried out before, from what was
// kept of it: the state may have moved on.
func (t *tx) replay(c command, seq uint64, count int64) any {
	switch c := c.(type) {
	case *submit:
		return Submitted{Jobs: t.submitted(seq, int(count)), Replayed: true}
	case *importing:
		return t.imported(c, seq, uint64(count))
	case *act:
		return Done{Seq: seq, Count: 1, Status: store.StatusCodes[count], Replayed: true}
	case *result:
		j, refused := t.find(seq)
		if refused != nil {
			return refused
		}
		return Resulted{
			Seq: seq, ID: j.id.String(), Attempt: int(c.attempt), Status: j.status,
			Retry: int(count), MaxRetries: int(j.maxRetries), Repeated: true,
		}
	case *createKey:
		return c.again(t)
	case *register:
		n, known := c.find(t)
		if !known || n.Removed {
			return ffrtmp.Errorf(ffrtmp.NotFound, "the node that this registered has been removed")
		}
		return NodeRegistered{Node: n.show()}
	}
	return Done{Seq: seq, Count: int(count), Replayed: true}
}

// Submitted reports whether a submission or an import with this idempotency key has made
// jobs, of which some are still there. It is false without a key.
func (f *FSM) Submitted(ctx context.Context, id Idempotency) (bool, error) {
	return f.KeyMadeJobs(ctx, store.RequestKey{Principal: id.Principal, Key: id.Key})
}
