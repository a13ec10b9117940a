package cluster

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// ownerOf returns the user that owns a file.
func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("got %T, want a Stat_t", info.Sys())
	}
	return stat.Uid
}

// What a recovery writes belongs to the owner of the raft directory, also when root runs it.
func TestRecover_KeepsOwner(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	m.stop()
	dir := m.cfg.Dir
	if os.Geteuid() == 0 {
		const nobody = 65534
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	r, err := OpenRecovery(dir, testLogger("recover"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Install(); err == nil {
		t.Error("got no error from the installation of files that were not built")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	want := ownerOf(t, dir)
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if got := ownerOf(t, path); got != want {
			t.Errorf("%s: got owner %d, want %d", path, got, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
