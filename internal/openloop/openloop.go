// Package openloop writes at a fixed rate, whether or not the earlier writes were answered, and records the outcomes.
//
// A loop that waits for each answer sends nothing while the service is down and so measures too little (coordinated
// omission). Here the start and the interval fix the time of each write; a late write is sent at once, and its latency
// counts from the time it was due.
package openloop

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Config describes a loop whose writes return a T.
type Config[T any] struct {
	Interval time.Duration // between two writes
	InFlight int           // limit; writes due beyond it are missed
	// Write sends the n-th write. No two writes at one time have the same slot, a number below InFlight.
	Write func(ctx context.Context, n, slot int) (T, error)
	// Unknown reports whether a write that returned err may have been executed; nil reports false.
	Unknown func(err error) bool
}

// Ack is an acknowledged write.
type Ack[T any] struct {
	Value   T
	Due, At time.Time
}

// Result is the outcome of a loop.
type Result[T any] struct {
	Start   time.Time
	Sent    int
	Missed  int
	Acks    []Ack[T] // in the order of At
	Unknown []error
	Failed  []error
}

// Loop is a running loop. It is safe for concurrent use.
type Loop[T any] struct {
	config Config[T]
	slots  chan int // that are free
	quit   chan struct{}
	end    sync.Once
	done   chan struct{}

	mu     sync.Mutex
	result Result[T]
}

// Start starts a loop, which ends with ctx or Stop. The writes get ctx.
func Start[T any](ctx context.Context, config Config[T]) *Loop[T] {
	l := &Loop[T]{
		config: config, slots: make(chan int, config.InFlight),
		quit: make(chan struct{}), done: make(chan struct{}), result: Result[T]{Start: time.Now()},
	}
	for slot := range config.InFlight {
		l.slots <- slot
	}
	go l.run(ctx, l.result.Start)
	return l
}

// Stop ends the loop and waits for the writes in flight. It may be called again.
func (l *Loop[T]) Stop() {
	l.end.Do(func() { close(l.quit) })
	<-l.done
}

// Result returns the outcome so far.
func (l *Loop[T]) Result() Result[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.result
	r.Acks, r.Unknown, r.Failed = slices.Clip(r.Acks), slices.Clip(r.Unknown), slices.Clip(r.Failed)
	return r
}

func (l *Loop[T]) run(ctx context.Context, start time.Time) {
	defer close(l.done)
	var flights sync.WaitGroup
	defer flights.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(n) * l.config.Interval)
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-l.quit:
			return
		case <-timer.C:
		}
		if slot, ok := l.take(); ok {
			flights.Go(func() { l.write(ctx, n, slot, due) })
		}
	}
}

// take takes a free slot, and counts the write as sent or missed.
func (l *Loop[T]) take() (slot int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case slot = <-l.slots:
		l.result.Sent++
		return slot, true
	default:
		l.result.Missed++
		return 0, false
	}
}

func (l *Loop[T]) write(ctx context.Context, n, slot int, due time.Time) {
	value, err := l.config.Write(ctx, n, slot)
	l.slots <- slot
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.result
	switch {
	case err == nil:
		r.Acks = append(r.Acks, Ack[T]{Value: value, Due: due, At: time.Now()})
	case l.config.Unknown != nil && l.config.Unknown(err):
		r.Unknown = append(r.Unknown, err)
	default:
		r.Failed = append(r.Failed, err)
	}
}

// LongestGap returns the longest time between two acknowledgements that ends after from, and when it began.
func (r Result[T]) LongestGap(from time.Time) (gap time.Duration, at time.Time) {
	for i := 1; i < len(r.Acks); i++ {
		before, after := r.Acks[i-1].At, r.Acks[i].At
		if d := after.Sub(before); after.After(from) && d > gap {
			gap, at = d, before
		}
	}
	return gap, at
}

// Latencies returns the times from when the acknowledged writes were due, sorted.
func (r Result[T]) Latencies() []time.Duration {
	var took []time.Duration
	for _, a := range r.Acks {
		took = append(took, a.At.Sub(a.Due))
	}
	slices.Sort(took)
	return took
}
