package fsm

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// prune removes old finished jobs with their rows, idempotency keys of removed jobs,
// old events, and removed nodes without references. The proposer names candidates;
// apply decides.
type prune struct {
	v1
	before int64 // ns: jobs finished before, and keys used before
	events int64 // ns: events before
	seqs   []uint64
	keys   []store.RequestID
}

func (*prune) kind() Kind { return KindPrune }

func (c *prune) encode(e *encoder) {
	e.int(c.before)
	e.int(c.events)
	e.uint(uint64(len(c.seqs)))
	last := uint64(0)
	for _, seq := range c.seqs {
		e.int(int64(seq - last))
		last = seq
	}
	e.uint(uint64(len(c.keys)))
	for _, k := range c.keys {
		e.fixed(k[:])
	}
}

func decodePrune(d *decoder) command {
	c := &prune{before: d.int(), events: d.int(), seqs: make([]uint64, d.count(1))}
	last := uint64(0)
	for i := range c.seqs {
		last += uint64(d.int())
		c.seqs[i] = last
	}
	c.keys = make([]store.RequestID, d.count(len(store.RequestID{})))
	for i := range c.keys {
		d.fixed(c.keys[i][:])
	}
	return c
}

// Pruned counts what Prune removed.
type Pruned struct{ Jobs, Keys, Nodes, Entries int }

// maxPrunedEntries bounds the entries whose events one prune removes.
const maxPrunedEntries = 256

var (
	selectFinished = store.Prepared(`SELECT 1 FROM job_state WHERE seq = ? AND status >= ? AND completed_at < ?`)
	deleteState    = store.Prepared(`DELETE FROM job_state WHERE seq = ?`)
	deleteSpec     = store.Prepared(`DELETE FROM job_spec WHERE seq = ?`)
	deleteAttempts = store.Prepared(`DELETE FROM job_attempt WHERE seq = ?`)
	deleteLogs     = store.Prepared(`DELETE FROM job_log WHERE seq = ?`)
	deleteMedia    = store.Prepared(`DELETE FROM job_media WHERE seq = ?`)
	selectUnused   = store.Prepared(`SELECT 1 FROM idempotency i WHERE n = ? AND created_at < ?
	AND NOT EXISTS (SELECT 1 FROM job_state WHERE i.seq > 0 AND seq >= i.seq AND seq < i.seq + max(i.count, 1))`)
	deleteKey       = store.Prepared(`DELETE FROM idempotency WHERE n = ?`)
	selectOldEvents = store.Prepared(`SELECT idx, count FROM (SELECT idx, time, count FROM event
	ORDER BY idx LIMIT ?) WHERE time < ? ORDER BY idx DESC LIMIT 1`)
	deleteEvents = store.Prepared(`DELETE FROM event WHERE idx <= ?`)
	countEvents  = store.Prepared(`SELECT count(*) FROM event WHERE idx <= ?`)
	updateFloor  = store.Prepared(`UPDATE event_floor SET idx = ?, n = ? WHERE one = 1`)
	selectOldest = store.Prepared(`SELECT created_at FROM job_spec ORDER BY seq LIMIT 1`)
	deleteNode   = store.Prepared(`DELETE FROM node WHERE key = ?`)
)

func (c *prune) apply(t *tx) any {
	t.pruned = true
	t.exec(deleteOldChunks, t.now-int64(chunksKept))
	var p Pruned
	one := make([]driver.Value, 1)
	for _, seq := range c.seqs {
		if !t.row(one, selectFinished, int64(seq), store.StatusCompleted, c.before) {
			continue
		}
		for _, s := range []store.Statement{deleteState, deleteSpec, deleteAttempts, deleteLogs, deleteMedia} {
			t.exec(s, int64(seq))
		}
		t.columns.remove(seq)
		p.Jobs++
	}
	for _, id := range c.keys {
		if n, ok := t.requests[id]; ok && t.row(one, selectUnused, n, c.before) {
			t.forget(id)
			p.Keys++
		}
	}
	p.Entries = t.pruneEvents(c.events)
	p.Nodes = t.pruneNodes(min(c.before, c.events))
	return p
}

// pruneEvents removes the events of some of the oldest entries.
func (t *tx) pruneEvents(before int64) int {
	newest := make([]driver.Value, 2)
	if !t.row(newest, selectOldEvents, int64(maxPrunedEntries), before) {
		return 0
	}
	count := make([]driver.Value, 1)
	t.row(count, countEvents, newest[0])
	t.exec(deleteEvents, newest[0])
	t.exec(updateFloor, newest[0], newest[1].(int64)-1)
	n, _ := count[0].(int64)
	return int(n)
}

// pruneNodes deletes nodes that were removed before a time and before the oldest job was
// created: no job refers to them. The newest key stays, so that it is not reused, and
// so do v2.2 nodes: an import may refer to them at any time.
func (t *tx) pruneNodes(before int64) int {
	count := 0
	var oldest []driver.Value
	for _, key := range slices.Sorted(maps.Keys(t.nodes.byKey)) {
		n := t.nodes.byKey[key]
		if !n.Removed || n.Legacy || key == t.nodes.lastKey || n.LastHeartbeat.UnixNano() >= before {
			continue
		}
		if oldest == nil {
			oldest = make([]driver.Value, 1)
			if !t.row(oldest, selectOldest) {
				oldest[0] = t.now
			}
		}
		if n.LastHeartbeat.UnixNano() >= oldest[0].(int64) {
			continue
		}
		t.exec(deleteNode, key)
		delete(t.nodes.byKey, key)
		delete(t.nodes.byID, n.ID)
		count++
	}
	return count
}

// replayable reports whether a request can be replayed: its idempotency key is valid
// as long as its jobs exist.
func (t *tx) replayable(seq uint64, id store.RequestID) bool {
	if seq == 0 || t.row(make([]driver.Value, 1), store.SelectUsed, t.requests[id], id[:]) {
		return true
	}
	t.forget(id)
	return false
}

// PruneRequest has the limits and the candidates of a prune.
type PruneRequest struct {
	Before time.Time // jobs finished before, and keys used before
	Events time.Time // events before
	Seqs   []uint64  // ascending
	Keys   []store.RequestID
}

// Prune removes those of the request's candidates that are old enough.
func (p *Proposer) Prune(ctx context.Context, r PruneRequest) (uint64, Pruned, error) {
	c := &prune{before: r.Before.UnixNano(), events: r.Events.UnixNano(), seqs: r.Seqs, keys: r.Keys}
	return propose[Pruned](ctx, p, Idempotency{}, c)
}
