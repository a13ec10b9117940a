package fsm

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
)

// eventCodes are the numbers of the types of events in the database; see codes.go.
var eventCodes = ffrtmp.EventTypes

// packedEvents are those of one Raft entry: each is its code, the time since
// the first, the node's key (0 for none) and, of a job, its number, id, attempt,
// retry and reason.
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
	e.uint(uint64(code(eventCodes, what)))
	e.uint(uint64(t.now - e.time))
	if n == nil {
		e.uint(0)
	} else {
		e.uint(uint64(n.key))
	}
}

// jobEvent notes what has happened to a job and its newest attempt.
func (t *tx) jobEvent(what ffrtmp.EventType, j *activeJob, retry int64, reason ffrtmp.FailureReason) {
	t.event(what, j.node)
	e := &t.events
	e.uint(j.seq)
	e.fixed(j.id[:])
	e.uint(uint64(j.attempt))
	e.uint(uint64(retry))
	e.string(string(reason))
}

var insertEvents = prepared(`INSERT INTO event (idx, time, count, data) VALUES (?, ?, ?, ?)`)

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
func unpack(index uint64, at, count int64, data []byte, do func(e ffrtmp.Event, node int64) error) error {
	d := decoder{b: data}
	for n := range count {
		e := ffrtmp.Event{Index: index, N: uint32(n)}
		e.Type = eventCodes[d.code(len(eventCodes))]
		e.Time = timeOf(at + int64(d.uint()))
		node := int64(d.uint())
		if e.Type.OfJob() {
			e.SequenceNumber = d.uint()
			var id uuid.UUID
			d.fixed(id[:])
			e.JobID = id.String()
			e.Attempt, e.Retry = int(d.uint()), int(d.uint())
			e.FailureReason = ffrtmp.FailureReason(d.string())
		}
		if d.err != nil {
			return fmt.Errorf("event %d.%d: %w", index, n, d.err)
		}
		if err := do(e, node); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of one read of events: the entries that it looks at and the events that it
// returns, of which one entry can hold tens of thousands.
const (
	maxEventRows = 256
	maxEvents    = 16384
)

var (
	queryEvents     = readOnly(fmt.Sprintf(`SELECT idx, time, count, data FROM event WHERE idx >= ? ORDER BY idx LIMIT %d`, maxEventRows))
	queryEventCount = readOnly(`SELECT count FROM event WHERE idx = ?`)
	queryFloor      = readOnly(`SELECT idx, n FROM event_floor`)
)

// Events returns the next events after one of them, and the place up to which
// there are no others. An error with code Compacted says that some that followed
// it are no longer kept.
func (f *FSM) Events(ctx context.Context, after ffrtmp.EventID) (list []ffrtmp.Event, upTo ffrtmp.EventID, err error) {
	index := f.Index()
	rows, full := 0, false
	var nodes []int64
	upTo = after
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		err := s.each(ctx, queryEvents, func(r *sql.Rows) error {
			rows++
			var index uint64
			var at, count int64
			var data []byte
			if err := r.Scan(&index, &at, &count, &data); err != nil {
				return err
			}
			return unpack(index, at, count, data, func(e ffrtmp.Event, node int64) error {
				if !after.Before(e.ID()) {
					return nil
				}
				if full = len(list) == maxEvents; full {
					return errStop
				}
				list, nodes, upTo = append(list, e), append(nodes, node), e.ID()
				return nil
			})
		}, int64(after.Index))
		if err != nil && !errors.Is(err, errStop) {
			return err
		}
		// Asked last: what was dropped before the rows were read shows now.
		var floor ffrtmp.EventID
		if err := s.queries[queryFloor].QueryRowContext(ctx).Scan(&floor.Index, &floor.N); err != nil {
			return err
		}
		if after.Before(floor) {
			return ffrtmp.Errorf(ffrtmp.Compacted, "events up to %s are no longer kept: those after %s cannot be told without a gap", floor, after)
		}
		return nil
	})
	if err != nil {
		return nil, after, err
	}
	f.nameNodes(list, nodes)
	// Entries up to index were in the state before the rows were read.
	if end := (ffrtmp.EventID{Index: index}); !full && rows < maxEventRows && upTo.Before(end) {
		upTo = end
	}
	return list, upTo, nil
}

// LastEvent returns the place after which come the events of entries that have not
// been applied yet.
func (f *FSM) LastEvent(ctx context.Context) (last ffrtmp.EventID, err error) {
	last.Index = f.Index()
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		var count uint32
		err := s.queries[queryEventCount].QueryRowContext(ctx, int64(last.Index)).Scan(&count)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		last.N = max(count, 1) - 1
		return err
	})
	return last, err
}

// nameNodes gives events the ids of the nodes with these keys.
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
