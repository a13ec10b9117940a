package cluster

import (
	"sync"

	"github.com/hashicorp/raft"
)

const (
	logCacheBytes = 8 << 20 // bounds a log cache
	entryBytes    = 128     // of an entry's memory, besides its data
)

// logCache has the newest entries of the log. Raft reads each entry again soon after it
// was stored: to send it to each follower, and to apply it. raft.LogCache bounds the
// number of entries, and ours differ in size by a factor of ten thousand.
type logCache struct {
	mu      sync.Mutex
	first   uint64 // index of entries[0]
	entries []*raft.Log
	bytes   int
}

// add adds entries that are stored. Those that do not continue the cached ones replace
// them.
func (c *logCache) add(logs []*raft.Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range logs {
		if len(c.entries) == 0 || l.Index != c.first+uint64(len(c.entries)) {
			c.entries, c.first, c.bytes = c.entries[:0], l.Index, 0
		}
		c.entries = append(c.entries, l)
		c.bytes += entryBytes + len(l.Data)
	}
	drop := 0
	for c.bytes > logCacheBytes {
		c.bytes -= entryBytes + len(c.entries[drop].Data)
		drop++
	}
	clear(c.entries[:drop])
	c.entries = c.entries[drop:]
	c.first += uint64(drop)
}

// get copies an entry into l if it is cached.
func (c *logCache) get(index uint64, l *raft.Log) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if index < c.first || index-c.first >= uint64(len(c.entries)) {
		return false
	}
	*l = *c.entries[index-c.first]
	return true
}

// clear forgets all entries.
func (c *logCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries, c.first, c.bytes = nil, 0, 0
}
