package fsm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// stateCheck makes every master sum the same rows of its state at the index of this entry. It changes nothing.
type stateCheck struct {
	v1
	from store.Cursors
}

func (*stateCheck) kind() Kind { return KindCheck }

func (c *stateCheck) encode(e *encoder) {
	e.uint(uint64(len(c.from)))
	for _, table := range slices.Sorted(maps.Keys(c.from)) {
		e.string(table)
		e.strings(c.from[table])
	}
}

func decodeCheck(d *decoder) command {
	n := d.count(2)
	c := &stateCheck{from: make(store.Cursors, n)}
	for range n {
		table := d.string()
		c.from[table] = d.strings()
	}
	return c
}

func (c *stateCheck) apply(t *tx) any {
	t.check = c
	return Done{}
}

// Check makes every master sum the rows behind the cursors, and returns the index of the sums.
func (p *Proposer) Check(ctx context.Context, from store.Cursors) (index uint64, err error) {
	index, _, err = propose[Done](ctx, p, Idempotency{}, &stateCheck{from: from})
	return index, err
}

// aloneKind returns the kind of the only command of an entry, which needs no decoding; 0 for other entries.
func aloneKind(entry *raft.Log) Kind {
	if entry.Type != raft.LogCommand || len(entry.Data) == 0 || entry.Data[0] != entryFormat {
		return 0
	}
	d := decoder{b: entry.Data[1:]}
	if d.uint() != 1 {
		return 0
	}
	d.uint() // its length
	if kind := Kind(d.uint()); d.err == nil {
		return kind
	}
	return 0
}

// sumsKept is how many sums are remembered until they are compared.
const sumsKept = 4

// startSum sums rows of the state as it is now, in the background: only the commit and the beginning of a read
// hold up the entries that follow. A sum that is still running is not waited for: this one is then missing.
func (f *FSM) startSum(c *stateCheck) error {
	if err := f.commit(); err != nil {
		return err
	}
	if f.closing.Load() || !f.summing.CompareAndSwap(false, true) {
		return nil
	}
	release := f.state.Use()
	pinned, err := f.state.Pin(f.life)
	if err != nil {
		release()
		f.summing.Store(false)
		f.log.Warn("cannot check the state", "error", err)
		return nil
	}
	f.background.Go(func() {
		defer f.summing.Store(false)
		defer release()
		f.sum(pinned, c)
	})
	return nil
}

func (f *FSM) sum(pinned *store.Pinned, c *stateCheck) {
	timer := prometheus.NewTimer(f.metrics.checked)
	sum, err := pinned.Sum(f.life, c.from)
	if closed := pinned.Close(); err == nil {
		err = closed
	}
	if err != nil {
		if f.life.Err() == nil {
			f.log.Warn("cannot check the state", "error", err)
		}
		return
	}
	timer.ObserveDuration()
	f.sumsLock.Lock()
	f.sums = append(f.sums, sum)
	f.sums = f.sums[max(0, len(f.sums)-sumsKept):]
	f.sumsLock.Unlock()
	f.summed.send()
}

// StateSum returns the sum of the state at the index of a check, and waits for it.
func (f *FSM) StateSum(ctx context.Context, index uint64) (*store.StateSum, error) {
	for {
		summed := f.summed.wait()
		f.sumsLock.Lock()
		i := slices.IndexFunc(f.sums, func(s *store.StateSum) bool { return s.Index == index })
		var sum *store.StateSum
		if i >= 0 {
			sum = f.sums[i]
		}
		f.sumsLock.Unlock()
		if sum != nil {
			return sum, nil
		}
		select {
		case <-summed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no sum of the state at entry %d: %w", index, ctx.Err())
		}
	}
}

// NextCheck returns where the next check begins: behind the rows of the last one.
func (f *FSM) NextCheck() store.Cursors {
	f.sumsLock.Lock()
	defer f.sumsLock.Unlock()
	if len(f.sums) == 0 {
		return nil
	}
	return f.sums[len(f.sums)-1].Next
}
