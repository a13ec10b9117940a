package devcluster

import (
	"context"
	"fmt"
	"time"
)

// Leader waits until a master reports that it leads, and returns its number.
func (c *Cluster) Leader(ctx context.Context) (int, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if i := c.askLeader(ctx); i >= 0 {
			return i, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for a leader: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// askLeader asks all masters concurrently and returns the number of the leader, or -1.
func (c *Cluster) askLeader(ctx context.Context) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	masters := c.Masters()
	answers := make(chan int, len(masters))
	for i, m := range masters {
		go func() {
			if err := ask(ctx, c.http, m.URL()+"/health/leader"); err != nil {
				i = -1
			}
			answers <- i
		}()
	}
	for range masters {
		if i := <-answers; i >= 0 {
			return i
		}
	}
	return -1
}
