package fsm

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// eventCodes are the numbers of the types of events in the database; see codes.go.
var eventCodes = ffrtmp.EventTypes

// packedEvents are the events of one Raft entry: each is its code, the time since
// the first, the node's key (0 for none) and, of a job, its number, id, attempt,
// retry and reason, or of a master its name and a message.
type packedEvents struct {
	encoder
	count int64
	time  int64 // of the first
}

func (t *tx) event(what ffrtmp.EventType, n *node) {
	e := &t.events
	if e.count == 0 {
		e.time = t.now
	}
	e.count++
	e.uint(uint64(store.Code(eventCodes, what)))
	e.uint(uint64(t.now - e.time))
	if n == nil {
		e.uint(0)
	} else {
		e.uint(uint64(n.Key))
	}
}

// jobEvent adds an event about a job and its newest attempt.
func (t *tx) jobEvent(what ffrtmp.EventType, j *activeJob, retry int64, reason ffrtmp.FailureReason) {
	t.event(what, j.node)
	e := &t.events
	e.uint(j.seq)
	e.fixed(j.id[:])
	e.uint(uint64(j.attempt))
	e.uint(uint64(retry))
	e.string(string(reason))
}

var insertEvents = store.Prepared(`INSERT INTO event (idx, time, count, data) VALUES (?, ?, ?, ?)`)

// saveEvents writes the events of an entry.
func (t *tx) saveEvents(index uint64) {
	e := &t.events
	if e.count > 0 {
		t.exec(insertEvents, int64(index), e.time, e.count, e.b)
	}
	e.count, e.b = 0, e.b[:0]
}

// unpack calls do for each event of a row, with the key of its node, until it returns
// an error.
func unpack(packed store.Events, do func(e ffrtmp.Event, node int64) error) error {
	d := decoder{b: packed.Data}
	for n := range packed.Count {
		e := ffrtmp.Event{Index: packed.Index, N: uint32(n)}
		e.Type = eventCodes[d.code(len(eventCodes))]
		e.Time = store.TimeOf(packed.Time + int64(d.uint()))
		node := int64(d.uint())
		if e.Type.OfJob() {
			e.SequenceNumber = d.uint()
			var id uuid.UUID
			d.fixed(id[:])
			e.JobID = id.String()
			e.Attempt, e.Retry = int(d.uint()), int(d.uint())
			e.FailureReason = ffrtmp.FailureReason(d.string())
		}
		if e.Type.OfMaster() {
			e.Master, e.Message = d.string(), d.string()
		}
		if d.err != nil {
			return fmt.Errorf("event %d.%d: %w", packed.Index, n, d.err)
		}
		if err := do(e, node); err != nil {
			return err
		}
	}
	return nil
}

// maxEvents bounds the events of one answer: one entry can hold tens of thousands.
const maxEvents = 16384

// Events returns the next events after a resume point, and the new resume point. The
// error has code Compacted when some of the events after it were pruned.
func (f *FSM) Events(ctx context.Context, after ffrtmp.EventID) (list []ffrtmp.Event, upTo ffrtmp.EventID, err error) {
	index := f.Index()
	entries, full := 0, false
	var nodes []int64
	upTo = after
	floor, err := f.EachEvents(ctx, after.Index, func(packed store.Events) error {
		entries++
		return unpack(packed, func(e ffrtmp.Event, node int64) error {
			if !after.Before(e.ID()) {
				return nil
			}
			if full = len(list) == maxEvents; full {
				return store.ErrStop
			}
			list, nodes, upTo = append(list, e), append(nodes, node), e.ID()
			return nil
		})
	})
	if err == nil && after.Before(floor) {
		err = ffrtmp.Errorf(ffrtmp.Compacted,
			"resume point %s is too old: events up to %s are no longer kept", after, floor)
	}
	if err != nil {
		return nil, after, err
	}
	f.nameNodes(list, nodes)
	// Entries up to index were applied before the rows were read.
	if end := (ffrtmp.EventID{Index: index}); !full && entries < store.MaxEntries && upTo.Before(end) {
		upTo = end
	}
	return list, upTo, nil
}

// LastEvent returns the resume point for the events of entries that are not
// applied yet.
func (f *FSM) LastEvent(ctx context.Context) (last ffrtmp.EventID, err error) {
	last.Index = f.Index()
	count, err := f.EventCount(ctx, last.Index)
	last.N = max(count, 1) - 1
	return last, err
}

// nameNodes sets the events' node ids, by the nodes' keys.
func (f *FSM) nameNodes(list []ffrtmp.Event, keys []int64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return
	}
	for i, key := range keys {
		if n := f.state.nodes.byKey[key]; n != nil {
			list[i].NodeID = n.ID
		}
	}
}
