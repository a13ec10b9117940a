package fsm

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// selection is a filter and a page in terms of columns.
type selection struct {
	places                [math.MaxUint8 + 1]bool
	node, scenario        uint32
	byNode, byScenario    bool
	label, labelMask      uint32 // mask 0: any
	created, createdUntil uint32 // seconds, both included

	sort      ffrtmp.Sort
	ascending bool
	cursor    uint64 // 0: none
	limit     int
}

// newSelection converts a filter and a page; limit is the number of jobs to find.
func newSelection(filter *ffrtmp.Filter, page ffrtmp.Page, limit int) *selection {
	q := &selection{
		sort: page.Sort, ascending: page.Order == ffrtmp.Ascending, cursor: page.Cursor, limit: limit,
		byNode: filter.NodeID != "", byScenario: filter.Scenario != "", scenario: hash32(filter.Scenario),
		createdUntil: math.MaxUint32,
	}
	for status, word := range store.StatusCodes {
		for queue, queueWord := range store.QueueCodes {
			for priority, priorityWord := range store.PriorityCodes {
				q.places[placeOf(int64(status), int64(queue), int64(priority))] = filter.Status.Has(word) &&
					(filter.Queue == "" || filter.Queue == queueWord) &&
					(filter.Priority == "" || filter.Priority == priorityWord)
			}
		}
	}
	if !filter.CreatedAfter.IsZero() {
		q.created = seconds(filter.CreatedAfter.UnixNano())
	}
	if !filter.CreatedBefore.IsZero() {
		q.createdUntil = seconds(filter.CreatedBefore.UnixNano())
	}
	if key, value, exact := strings.Cut(filter.Label, "="); exact {
		q.label, q.labelMask = labelHash(key, value), math.MaxUint32
	} else if key != "" {
		q.label, q.labelMask = hash32(key)&keyMask, keyMask
	}
	return q
}

// Sort keys are sequence numbers below what a list is sorted by.
const (
	seqBits = 56
	seqMask = 1<<seqBits - 1
)

// key is what a job is sorted by.
func (q *selection) key(ch *chunk, i int, seq uint64) uint64 {
	switch q.sort {
	case ffrtmp.SortPriority:
		_, _, priority := splitPlace(ch.place[i])
		return uint64(len(store.PriorityCodes)-1-int(priority))<<seqBits | seq
	case ffrtmp.SortProgress:
		return uint64(ch.progress[i])<<seqBits | seq
	default:
		return seq
	}
}

// before reports whether key a comes before b in the list.
func (q *selection) before(a, b uint64) bool { return a != b && a < b == q.ascending }

// misses reports whether no job of a chunk matches, by the times when they were created.
func (q *selection) misses(ch *chunk) bool {
	return ch.newest < q.created || ch.oldest > q.createdUntil
}

// matches may be true for a job that only has the same hashes. The caller has checked its place.
func (q *selection) matches(ch *chunk, i int) bool {
	return (!q.byNode || ch.node[i] == q.node) &&
		(!q.byScenario || ch.scenario[i] == q.scenario) &&
		ch.created[i] >= q.created && ch.created[i] <= q.createdUntil &&
		(q.labelMask == 0 || slices.ContainsFunc(ch.labels[ch.start(i):ch.ends[i]], func(label uint32) bool {
			return label&q.labelMask == q.label
		}))
}

// found are the first keys of a list.
type found struct {
	*selection
	keys []uint64
	last uint64 // the limit-th key so far, 0 when there are fewer

	started bool
	chunk   int // to scan next

	counting bool // count by place, and keep no keys
	tally    [math.MaxUint8 + 1]int
}

func (r *found) add(key uint64) {
	if r.cursor != 0 && !r.before(r.cursor, key) || r.last != 0 && !r.before(key, r.last) {
		return
	}
	r.keys = append(r.keys, key)
	if len(r.keys) >= 2*r.limit {
		r.cut()
	}
}

// cut sorts the keys and drops those beyond the limit.
func (r *found) cut() {
	slices.SortFunc(r.keys, func(a, b uint64) int {
		if r.ascending {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(b, a)
	})
	if len(r.keys) >= r.limit {
		r.keys = r.keys[:r.limit]
		r.last = r.keys[r.limit-1]
	}
}

// done reports whether no later chunk can have a key that comes before those found.
func (r *found) done() bool { return r.sort == ffrtmp.SortCreated && len(r.keys) >= r.limit }

// scan adds the jobs of a chunk.
func (r *found) scan(ch *chunk, first uint64) {
	for k := range chunkSize {
		i := k
		if !r.ascending {
			i = chunkSize - 1 - k
		}
		if r.places[ch.place[i]] && r.matches(ch, i) {
			if r.counting {
				r.tally[ch.place[i]]++
				continue
			}
			if r.add(r.key(ch, i, first+uint64(i))); r.done() {
				return
			}
		}
	}
}

// strideChunks is how many chunks are read under one lock: some ten microseconds.
const strideChunks = 8

// candidates returns the sort keys of the first jobs that a filter selects after the page's cursor, in the page's
// order. A job that only has the same hashes may be among them.
func (f *FSM) candidates(ctx context.Context, filter *ffrtmp.Filter, page ffrtmp.Page, limit int) ([]uint64, error) {
	return f.find(ctx, &found{selection: newSelection(filter, page, limit)}, filter.NodeID)
}

// find scans all chunks, or as many as the keys need.
func (f *FSM) find(ctx context.Context, r *found, nodeID string) ([]uint64, error) {
	for !r.done() {
		more, wait, err := f.stride(r, nodeID)
		switch {
		case err != nil:
			return nil, err
		case wait != nil:
			if err := f.waitLoaded(ctx, wait); err != nil {
				return nil, err
			}
		case !more:
			r.cut()
			return r.keys, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
	}
	return r.keys, nil
}

// Total counts the jobs that a filter without a text selects, in memory: some milliseconds for a million. Of a
// scenario, a label or a time it may count a few that only have the same hash or second.
func (f *FSM) Total(ctx context.Context, filter ffrtmp.Filter) (int, error) {
	page := ffrtmp.Page{Sort: ffrtmp.SortCreated, Order: ffrtmp.Ascending}
	r := &found{selection: newSelection(&filter, page, math.MaxInt), counting: true}
	_, err := f.find(ctx, r, filter.NodeID)
	total := 0
	for _, n := range r.tally {
		total += n
	}
	return total, err
}

// stride scans some chunks. It returns a channel to wait for when they are not loaded yet.
func (f *FSM) stride(r *found, nodeID string) (more bool, wait <-chan struct{}, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return false, nil, errNoState
	}
	if r.byNode {
		n := f.state.nodes.byID[nodeID]
		if n == nil {
			return false, nil, nil
		}
		r.node = uint32(n.Key)
	}
	c := &f.state.columns
	for range strideChunks {
		if !r.started {
			r.chunk, r.started = r.firstChunk(len(c.chunks)), true
		}
		switch {
		case r.chunk < 0, r.chunk >= len(c.chunks):
			return false, nil, nil
		case r.chunk < c.low:
			return true, c.loaded, nil
		case c.chunks[r.chunk] != nil && !r.misses(c.chunks[r.chunk]):
			r.scan(c.chunks[r.chunk], uint64(r.chunk)*chunkSize)
		}
		if r.done() {
			break
		}
		if r.chunk--; r.ascending {
			r.chunk += 2
		}
	}
	return true, nil, nil
}

// firstChunk is where a list begins: one by creation at its cursor.
func (q *selection) firstChunk(chunks int) int {
	switch {
	case q.cursor != 0 && q.sort == ffrtmp.SortCreated:
		return int(min(q.cursor/chunkSize, uint64(chunks-1)))
	case q.ascending:
		return 0
	}
	return chunks - 1
}

// waitLoaded waits until the loading of a state's columns has ended.
func (f *FSM) waitLoaded(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state != nil && f.state.columns.loaded == loaded && f.state.columns.low > 0 {
		return errors.New("the jobs that lists select from are not in memory")
	}
	return nil
}
