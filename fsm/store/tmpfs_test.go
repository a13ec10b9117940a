package store

import (
	"os"
	"path/filepath"
	"testing"
)

// Directories of dead processes are removed.
func TestTmpfs_Leftovers(t *testing.T) {
	parent := t.TempDir()
	held, lock, err := openMemoryDir("/nonexistent", parent)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	left := filepath.Join(parent, "ffrtmp-memory-1")
	other := filepath.Join(parent, "ffrtmp-1")
	for _, dir := range []string{left, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "state-1.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made, second, err := openMemoryDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for dir, there := range map[string]bool{held: true, left: false, other: true, made: true} {
		if _, err := os.Stat(dir); (err == nil) != there {
			t.Errorf("%s: %v", dir, err)
		}
	}
}
