package store

import (
	"os"
	"path/filepath"
	"testing"
)

// A directory where the record should be is set aside.
func TestFiles_RecordIsDirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, TrustFile)
	if err := os.MkdirAll(filepath.Join(path, "something"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFiles(filepath.Join(dir, "link.db"), dir, "this boot")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Trust(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("got %v (%v), want a file", info, err)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, "aside-*", TrustFile, "something")); len(kept) != 1 {
		t.Errorf("got %q set aside, want what was in the directory", kept)
	}
}
