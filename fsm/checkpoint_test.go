package fsm

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// Some time after a change the database file has it, and its true size; the metric counts the WAL at any time.
func TestCheckpoint_TrueSize(t *testing.T) {
	dir, registry := t.TempDir(), prometheus.NewRegistry()
	c := openCluster(t, Options{
		Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "raft"), Registerer: registry,
	})
	size := func(suffix string) int64 {
		t.Helper()
		path, err := filepath.EvalSymlinks(c.opts.Path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 200 {
		c.submit()
	}
	c.settle()
	testkit.Eventually(t, "the metric counts file and WAL", func() bool {
		all := float64(size("") + size("-wal") + size("-shm"))
		return testkit.Metrics(t, registry)["ffmpeg_master_db_size_bytes"] == all
	})
	c.fsm.applying.Lock()
	if c.fsm.collected.checkpoint == nil {
		t.Error("after changes: got no checkpoint, want one to be due")
	}
	c.fsm.applying.Unlock()
	c.fsm.checkpoint() // what the timer runs
	var pages int64
	if err := c.sqlite().QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if got := size(""); got != pages*4096 || pages < 20 {
		t.Errorf("got a file of %d bytes for %d pages of 4096, want all of at least 20", got, pages)
	}
}
