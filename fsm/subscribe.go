package fsm

import (
	"context"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// broadcast wakes all waiters at once. The channel is created by the first waiter,
// because most batches have none.
type broadcast struct {
	mu sync.Mutex
	c  chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{} }

// wait returns a channel that is closed at the next send.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c == nil {
		b.c = make(chan struct{})
	}
	return b.c
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.c != nil {
		close(b.c)
		b.c = nil
	}
}

// publish announces the state's new index, its keys and settings, and whether more jobs may be
// claimable than before.
func (f *FSM) publish(s *state) {
	if s.rekeyed {
		f.publishKeys(s)
		s.rekeyed = false
	}
	if s.reset {
		f.publishSettings(s)
		s.reset = false
	}
	if !f.collected.open {
		f.committed.Store(s.meta.Index)
	}
	f.index.Store(s.meta.Index)
	f.changed.send()
	if s.wake {
		f.waking.send()
	}
}

// WaitIndex returns once queries see the Raft entry with this index.
func (f *FSM) WaitIndex(ctx context.Context, index uint64) error {
	for {
		changed := f.changed.wait()
		if f.Index() >= index {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReadyChanged returns a channel that is closed when HasReady may have turned true
// for some node: a job was queued, a slot is free, a node changed. Get the channel
// first, then call HasReady. Time alone is not a change: see NextNotBefore.
func (f *FSM) ReadyChanged() <-chan struct{} { return f.waking.wait() }

// HasReady reports whether a claim at the time now would assign the node a job.
func (f *FSM) HasReady(nodeID string, now time.Time) bool {
	f.mu.Lock() // not shared: it caches which node fits
	defer f.mu.Unlock()
	if f.state == nil {
		return false
	}
	n, refused := f.state.nodes.find(nodeID)
	if refused != nil || n.Eligibility != ffrtmp.Eligible || n.Free(int(n.held)) == 0 {
		return false
	}
	return f.state.has(n, now.UnixNano())
}

// ReadyCount returns how many jobs are claimable at the time now, for any node.
func (f *FSM) ReadyCount(now time.Time) int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return 0
	}
	count := f.state.ready.count
	f.state.ready.delayed.until(now.UnixNano(), func(*activeJob) bool { count++; return true })
	return count
}

// NextNotBefore returns the earliest time at which a delayed job becomes claimable,
// and false when there is none.
func (f *FSM) NextNotBefore() (time.Time, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return time.Time{}, false
	}
	j := f.state.ready.delayed.first()
	if j == nil {
		return time.Time{}, false
	}
	return store.TimeOf(j.notBefore), true
}
