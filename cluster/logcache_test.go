package cluster

import (
	"testing"

	"github.com/hashicorp/raft"
)

func cachedEntries(first uint64, count, size int) []*raft.Log {
	logs := make([]*raft.Log, count)
	for i := range logs {
		logs[i] = &raft.Log{Index: first + uint64(i), Term: 1, Data: make([]byte, size)}
	}
	return logs
}

func (c *logCache) has(index uint64) bool {
	var l raft.Log
	return c.get(index, &l) && l.Index == index
}

// The cache has consecutive entries only.
func TestLogCache_Gap(t *testing.T) {
	var c logCache
	if c.has(0) || c.has(1) {
		t.Fatal("got an entry from an empty cache")
	}
	c.add(cachedEntries(5, 3, 1))
	c.add(cachedEntries(8, 1, 1))
	for index := uint64(0); index < 12; index++ {
		if got, want := c.has(index), index >= 5 && index <= 8; got != want {
			t.Errorf("entry %d: got cached %v, want %v", index, got, want)
		}
	}
	c.add(cachedEntries(7, 1, 1)) // another leader's
	if c.has(6) || c.has(8) || !c.has(7) {
		t.Error("got the entries before a jump, want only the newest")
	}
	c.add(cachedEntries(20, 1, 1))
	if c.has(7) || !c.has(20) {
		t.Error("got the entries before a gap, want only the newest")
	}
	c.clear()
	if c.has(20) {
		t.Error("got an entry after clear")
	}
}

// The cache is bounded by the size of its entries.
func TestLogCache_Bytes(t *testing.T) {
	var c logCache
	for index := uint64(1); index <= 10; index++ {
		c.add(cachedEntries(index, 1, logCacheBytes/4))
		if c.bytes > logCacheBytes || !c.has(index) {
			t.Fatalf("got %d bytes at entry %d, want at most %d", c.bytes, index, logCacheBytes)
		}
	}
	if !c.has(8) || c.has(7) {
		t.Error("got other entries than the newest three")
	}
	c.add(cachedEntries(11, 1, 2*logCacheBytes))
	if len(c.entries) != 0 || c.bytes != 0 {
		t.Errorf("got %d entries of %d bytes, want none", len(c.entries), c.bytes)
	}
	c.add(cachedEntries(12, 1, 1))
	if !c.has(12) {
		t.Error("got no entry after a large one")
	}
}
