package fsm

import (
	"context"
	"math"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// OldestEvent returns the resume point for all events that are kept.
func (f *FSM) OldestEvent(ctx context.Context) (ffrtmp.EventID, error) {
	return f.EachEvents(ctx, math.MaxInt64, func(store.Events) error { return nil })
}

// CreatedAt returns when a job was created; of a finished one in whole seconds. It is false when that is not in
// memory.
func (f *FSM) CreatedAt(seq uint64) (time.Time, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return time.Time{}, false
	}
	if j, ok := f.state.jobs[seq]; ok {
		return store.TimeOf(j.createdAt), true
	}
	ch, i := f.state.columns.at(seq)
	if ch == nil || ch.place[i] == 0 {
		return time.Time{}, false
	}
	return time.Unix(int64(ch.created[i]), 0).UTC(), true
}

// Tally counts the jobs by status and queue, in memory: some milliseconds for a million.
func (f *FSM) Tally(ctx context.Context) (map[ffrtmp.Status]map[ffrtmp.Queue]int, error) {
	page := ffrtmp.Page{Sort: ffrtmp.SortCreated, Order: ffrtmp.Ascending}
	r := &found{selection: newSelection(&ffrtmp.Filter{}, page, math.MaxInt), counting: true}
	if _, err := f.find(ctx, r, ""); err != nil {
		return nil, err
	}
	tally := map[ffrtmp.Status]map[ffrtmp.Queue]int{}
	for place, n := range r.tally {
		if n == 0 {
			continue
		}
		status, queue, _ := splitPlace(uint8(place))
		if tally[store.StatusCodes[status]] == nil {
			tally[store.StatusCodes[status]] = map[ffrtmp.Queue]int{}
		}
		tally[store.StatusCodes[status]][store.QueueCodes[queue]] += n
	}
	return tally, nil
}
