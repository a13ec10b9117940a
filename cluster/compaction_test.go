package cluster

import (
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

func TestTrailingLogsFollowTheSizeOfEntries(t *testing.T) {
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
	if got := trailingLogs(d.sizes.bytes.Load(), defaultTrailingLogs); got != defaultTrailingLogs {
		t.Errorf("of an empty log %d", got)
	}
	write(100, 600)
	if got := trailingLogs(d.sizes.bytes.Load(), defaultTrailingLogs); got != defaultTrailingLogs {
		t.Errorf("of single jobs %d", got)
	}
	write(500, 100<<10)
	if got := trailingLogs(d.sizes.bytes.Load(), defaultTrailingLogs); got < 2500 || got > 2700 {
		t.Errorf("of entries of 100 KiB %d, want about %d", got, trailingBytes/(100<<10))
	}
	if got := trailingLogs(trailingBytes, defaultTrailingLogs); got != minTrailingLogs {
		t.Errorf("of huge entries %d", got)
	}
}
