package cluster

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// trailingBytes is about how much log stays behind a snapshot. Raft counts
	// entries, and an entry of group commit can be a thousand times as long as
	// another.
	trailingBytes   = 256 << 20
	minTrailingLogs = 1024
)

// meanSize is the mean size of recent log entries, in bytes.
type meanSize struct{ bytes atomic.Int64 }

// add takes note of entries: the newest weigh a 64th each.
func (m *meanSize) add(entries, bytes int) {
	if entries == 0 {
		return
	}
	const weight = 64
	n := int64(min(entries, weight))
	mean := m.bytes.Load()
	m.bytes.Store(mean + (int64(bytes/entries)-mean)*n/weight)
}

// trailingLogs is how many entries of a mean size stay behind a snapshot, at most limit.
func trailingLogs(mean int64, limit uint64) uint64 {
	if mean <= 0 {
		return limit
	}
	return min(limit, max(minTrailingLogs, uint64(trailingBytes/mean)))
}

// boundLog keeps the log's size on disk in bounds, whatever its entries' sizes.
func (n *Node) boundLog(ctx context.Context, sizes *meanSize) {
	tick := time.NewTicker(snapshotInterval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		config := n.raft.ReloadableConfig()
		config.TrailingLogs = trailingLogs(sizes.bytes.Load(), n.cfg.trailingLogs)
		if err := n.raft.ReloadConfig(config); err != nil {
			n.log.Error("the number of trailing logs cannot be set", "error", err)
		}
	}
}
