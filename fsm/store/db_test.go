package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

func open(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, db)
	return db
}

// A snapshot does not wait for queries: Raft asks for it between two entries.
func TestPins_NoWait(t *testing.T) {
	db := open(t)
	for range db.readers.Stats().MaxOpenConnections {
		slow, err := db.readers.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := slow.Rollback(); err != nil {
				t.Error(err)
			}
		}()
	}
	taken := make(chan error, 1)
	go func() {
		image, err := snapshot.Pin(t.Context(), db.Pins())
		if err == nil {
			err = image.Close()
		}
		taken <- err
	}()
	select {
	case err := <-taken:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("got a snapshot that waits for queries, want it at once")
	}
}
