package fsm

import (
	"context"
	"math"
	"slices"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// bulk changes those of its jobs that can be changed and still have a status and the node
// that they were selected for. A request about more jobs than one command takes is several
// of them; the last one is final.
type bulk struct {
	v1
	seqs   []uint64
	change ffrtmp.Change
	status ffrtmp.StatusSet
	node   string // "": any
	before uint64 // jobs changed by the earlier commands of the same request
	final  bool
}

func (*bulk) kind() Kind { return KindBulk }

func (c *bulk) encode(e *encoder) {
	if c.change.Action == "" {
		e.uint(0)
		e.uint(uint64(store.Code(store.PriorityCodes, c.change.Priority)))
	} else {
		e.uint(uint64(store.Code(store.ActionCodes, c.change.Action)) + 1)
	}
	e.uint(uint64(len(c.seqs)))
	last := uint64(0)
	for _, seq := range c.seqs {
		e.int(int64(seq - last))
		last = seq
	}
	e.string(string(c.status))
	e.string(c.node)
	e.uint(c.before)
	e.bool(c.final)
}

func decodeBulk(d *decoder) command {
	c := &bulk{}
	if action := d.code(len(store.ActionCodes) + 1); action > 0 {
		c.change.Action = store.ActionCodes[action-1]
	} else {
		c.change.Priority = store.PriorityCodes[d.code(len(store.PriorityCodes))]
	}
	c.seqs = make([]uint64, d.count(1))
	last := uint64(0)
	for i := range c.seqs {
		last += uint64(d.int())
		c.seqs[i] = last
	}
	c.status = ffrtmp.StatusSet(d.string())
	c.node = d.string()
	c.before = d.uint()
	c.final = d.bool()
	return c
}

func (c *bulk) apply(t *tx) any {
	done := Done{Count: int(c.before)}
	from := c.change.From()
	for _, seq := range c.seqs {
		j, key, refused := t.findAny(seq)
		if refused != nil || j.hold == store.HoldSealed || !c.status.Has(j.status) ||
			!slices.Contains(from, j.status) || c.node != "" && (j.node == nil || j.node.ID != c.node) {
			continue
		}
		if c.applyTo(t, j, key) {
			done.Count++
		}
	}
	return done
}

// applyTo changes a job that is in a state that allows it. It returns false when there is nothing to
// change.
func (c *bulk) applyTo(t *tx, j *activeJob, key classKey) bool {
	if c.change.Action == "" {
		place, ok := t.place(j.seq)
		priority := store.Code(store.PriorityCodes, c.change.Priority)
		if !ok || place[1] == priority {
			return false
		}
		t.move(j, [2]int64{place[0], priority})
		t.jobEvent(ffrtmp.JobChanged, j, 0, "")
		return true
	}
	_, refused := t.act(c.change.Action, j, key).(*ffrtmp.Error)
	return !refused
}

func (c *bulk) partial() bool { return !c.final }

func (c *bulk) audit(*tx) entry {
	action := "job." + string(c.change.Action) + "-many"
	if c.change.Action == "" {
		action = "job.patch-many"
	}
	return entry{action, "", details("priority", string(c.change.Priority), "status", string(c.status),
		"node_id", c.node, "selected", strconv.Itoa(len(c.seqs)))}
}

// Changeable returns the numbers of the jobs that a filter selects and a change would change now, ascending.
func (f *FSM) Changeable(ctx context.Context, filter ffrtmp.Filter, change ffrtmp.Change) ([]uint64, error) {
	var some bool
	if filter.Status, some = change.Narrow(filter.Status); !some {
		return nil, nil
	}
	seqs, err := f.Seqs(ctx, filter, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil, errNoState
	}
	return slices.DeleteFunc(seqs, func(seq uint64) bool { return f.state.unchanged(seq, change) }), nil
}

// unchanged reports whether a change would leave a job alone that is in a state that allows it.
func (s *state) unchanged(seq uint64, change ffrtmp.Change) bool {
	if j, active := s.jobs[seq]; active && j.hold == store.HoldSealed {
		return true
	}
	ch, i := s.columns.at(seq)
	if change.Action != "" || ch == nil || ch.place[i] == 0 {
		return false
	}
	_, _, priority := splitPlace(ch.place[i])
	return store.PriorityCodes[priority] == change.Priority
}

// maxChanged bounds the jobs of one command of a bulk request: some tens of milliseconds, in which no other
// command is applied.
const maxChanged = 1000

// ChangeMany changes those of the jobs that are in a state that allows it and still match the status
// and node of the filter that selected them (FSM.Changeable), if set. Many jobs take several
// commands; Done.Count is the total.
func (p *Proposer) ChangeMany(ctx context.Context, id Idempotency, change ffrtmp.Change, filter ffrtmp.Filter,
	seqs []uint64,
) (index uint64, done Done, err error) {
	for {
		n := min(len(seqs), maxChanged)
		c := &bulk{
			seqs: seqs[:n], change: change, status: filter.Status, node: filter.NodeID, before: uint64(done.Count),
			final: n == len(seqs),
		}
		index, done, err = propose[Done](ctx, p, id, c)
		if err != nil || c.final || done.Replayed {
			return index, done, err
		}
		seqs = seqs[n:]
	}
}
