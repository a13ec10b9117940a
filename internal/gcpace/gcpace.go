// Package gcpace makes the garbage collector run less often than by default while a program's memory is small: a master
// that keeps 20 MB would otherwise collect after every 20 MB, many times a second under load.
package gcpace

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	garbage  = 128 << 20 // bytes between two collections, at most, unless that is less than the least percentage
	least    = 60        // percent of what is in use
	most     = 400
	interval = time.Second
)

// Start adapts the collector until ctx ends or stop is called, which restores the setting. It does nothing when the
// operator has set GOGC.
func Start(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	before := debug.SetGCPercent(most)
	go func() {
		defer close(done)
		adapt(ctx)
	}()
	return func() {
		cancel()
		<-done
		debug.SetGCPercent(before)
	}
}

func adapt(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	now := most
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		metrics.Read(sample)
		if next := percent(sample[0].Value.Uint64()); next != now {
			debug.SetGCPercent(next)
			now = next
		}
	}
}

// percent returns the GOGC for a live heap, in steps: setting it stops the program for a moment.
func percent(live uint64) int {
	p := most
	for p > least && uint64(p)*live/100 > garbage {
		p /= 2
	}
	return max(p, least)
}
