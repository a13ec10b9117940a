package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for name, open := range map[string]func() (*os.File, error){
		"file":      func() (*os.File, error) { return Open(filepath.Join(dir, "lock")) },
		"directory": func() (*os.File, error) { return OpenDir(dir) },
	} {
		t.Run(name, func(t *testing.T) {
			first, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := open(); !errors.Is(err, ErrHeld) {
				t.Errorf("got %v, want %v", err, ErrHeld)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			second, err := open()
			if err != nil {
				t.Fatalf("got %v after the lock was released, want none", err)
			}
			second.Close()
		})
	}
}
