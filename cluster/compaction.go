package cluster

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// Raft counts the entries that lead to a snapshot and those that stay behind one, and
// an entry of group commit can be ten thousand times as long as another: these bound
// their bytes. More stays than leads to the next, so that a damaged newest snapshot
// does not need the other masters.
const (
	snapshotBytes = 64 << 20
	trailingBytes = 4 * snapshotBytes

	minSnapshotThreshold = 64
	minTrailingLogs      = 4 * minSnapshotThreshold
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

// fitting is how many entries of a mean size fit into bytes, but between least and most.
func fitting(bytes, mean int64, least, most uint64) uint64 {
	if mean <= 0 {
		return most
	}
	return min(most, max(least, uint64(bytes/mean)))
}

// boundLog keeps the log's size on disk in bounds, whatever its entries' sizes.
func (n *Node) boundLog(ctx context.Context, sizes *meanSize) {
	for range every(ctx, snapshotInterval/2) {
		mean := sizes.bytes.Load()
		n.reload(func(c *raft.ReloadableConfig) {
			c.SnapshotThreshold = fitting(snapshotBytes, mean, minSnapshotThreshold, snapshotThreshold)
			c.TrailingLogs = fitting(trailingBytes, mean, minTrailingLogs, n.cfg.trailingLogs)
		})
	}
}
