package leader

import (
	"container/heap"
	"time"
)

// dueItem is due at a time: an attempt when its lease expires or it times out, a node when it
// has been silent for too long. It embeds a queueEntry.
type dueItem interface {
	due() time.Time // zero: never
	queued() *bool
}

// queueEntry records whether its owner is in the queue.
type queueEntry struct{ inQueue bool }

func (e *queueEntry) queued() *bool { return &e.inQueue }

// deadline is an item in the queue. Its time is a lower bound: a renewal changes only what
// due returns, and the entry is moved when its time comes. So a renewal costs nothing, unlike a
// timer per item or a heap that is updated at every change.
type deadline struct {
	at time.Time
	of dueItem
}

// deadlines is a queue by time. It implements heap.Interface.
type deadlines []deadline

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at.Before(d[j].at) }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *deadlines) Push(x any) { *d = append(*d, x.(deadline)) } //nolint:errcheck // nothing else is pushed

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	last := len(*d) - 1
	x := (*d)[last]
	(*d)[last] = deadline{}
	*d = (*d)[:last]
	return x
}

// watch puts x into the queue unless it is in it.
func (d *deadlines) watch(x dueItem) {
	if at := x.due(); !at.IsZero() && !*x.queued() {
		*x.queued() = true
		heap.Push(d, deadline{at, x})
	}
}

// expired removes and returns what is due at now.
func (d *deadlines) expired(now time.Time) []dueItem {
	var due []dueItem
	for len(*d) > 0 && !(*d)[0].at.After(now) {
		x := heap.Pop(d).(deadline).of //nolint:errcheck // nothing else is in it
		*x.queued() = false
		if at := x.due(); at.After(now) {
			d.watch(x)
		} else if !at.IsZero() {
			due = append(due, x)
		}
	}
	return due
}

// next is the earliest time at which something may be due.
func (d deadlines) next() (time.Time, bool) {
	if len(d) == 0 {
		return time.Time{}, false
	}
	return d[0].at, true
}
