package cluster

import (
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

func TestNode_BoundLog(t *testing.T) {
	d, err := openDiskStore(filepath.Join(t.TempDir(), "raft.db"), &writeClock{}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.close(); err != nil {
			t.Error(err)
		}
	}()
	next := uint64(1)
	write := func(entries, size int) {
		t.Helper()
		for range entries {
			if err := d.StoreLogs([]*raft.Log{{Index: next, Term: 1, Data: make([]byte, size)}}); err != nil {
				t.Fatal(err)
			}
			next++
		}
	}
	near := func(got, want uint64) bool { return got*100 >= want*99 && got*100 <= want*101 }
	expect := func(what string, threshold, trailing uint64) {
		t.Helper()
		mean := d.sizes.bytes.Load()
		if got := fitting(snapshotBytes, mean, minSnapshotThreshold, snapshotThreshold); !near(got, threshold) {
			t.Errorf("%s: a snapshot after %d entries, want about %d", what, got, threshold)
		}
		if got := fitting(trailingBytes, mean, minTrailingLogs, defaultTrailingLogs); !near(got, trailing) {
			t.Errorf("%s: %d entries stay behind a snapshot, want about %d", what, got, trailing)
		}
	}
	expect("an empty log", snapshotThreshold, defaultTrailingLogs)
	write(100, 600)
	expect("single jobs", snapshotThreshold, defaultTrailingLogs)
	write(500, 100<<10)
	expect("entries of 100 KiB", 655, 2622)
	d.sizes.add(64, 64*16<<20)
	expect("huge entries", minSnapshotThreshold, minTrailingLogs)
}
