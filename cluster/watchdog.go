package cluster

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	stallAfter = 2 * time.Second
	// slowestDisk is how many bytes a working disk writes in a second, at least: a
	// big batch may take longer before it counts as a stall.
	slowestDisk  = 10 << 20
	watchdogTick = 100 * time.Millisecond
)

// writeClock tracks the log writes in flight. Raft's main loop writes one at a
// time; a compaction may run concurrently.
type writeClock struct {
	mu     sync.Mutex
	next   uint64
	flight map[uint64]int // size in bytes by write
}

// begin starts a write of size bytes; the returned function ends it.
func (c *writeClock) begin(size int) (done func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flight == nil {
		c.flight = make(map[uint64]int)
	}
	id := c.next
	c.next++
	c.flight[id] = size
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flight, id)
	}
}

// oldest returns the write that has been in flight for the longest time.
func (c *writeClock) oldest() (id uint64, size int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, n := range c.flight {
		if !ok || i < id {
			id, size, ok = i, n, true
		}
	}
	return id, size, ok
}

// watchdog detects a log write that hangs. Raft's heartbeats do not touch the
// disk, so a leader whose disk hangs would otherwise stay leader without being
// able to commit (hashicorp/raft issue 503).
type watchdog struct {
	clock   *writeClock
	changed func(stalled bool) // called when a stall begins and when it ends

	stall  atomic.Bool
	id     uint64
	waited time.Duration
}

func newWatchdog(clock *writeClock, changed func(stalled bool)) *watchdog {
	return &watchdog{clock: clock, changed: changed}
}

// stalled reports whether a write hangs. Safe for concurrent use.
func (w *watchdog) stalled() bool { return w.stall.Load() }

func (w *watchdog) run(ctx context.Context) {
	tick := time.NewTicker(watchdogTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			w.observe(now.Sub(last))
			last = now
		}
	}
}

// observe counts the time since the last call against the write in flight. A call
// that is very late means that this process did not run (SIGSTOP, a suspended
// machine), which says nothing about the disk.
func (w *watchdog) observe(elapsed time.Duration) {
	id, size, ok := w.clock.oldest()
	switch {
	case !ok:
		w.waited = 0
	case id != w.id:
		w.id, w.waited = id, 0
	default:
		w.waited += min(elapsed, 2*watchdogTick)
	}
	allowed := stallAfter + time.Duration(size)*time.Second/slowestDisk
	if stalled := ok && w.waited > allowed; stalled != w.stall.Load() {
		w.stall.Store(stalled)
		w.changed(stalled)
	}
}
