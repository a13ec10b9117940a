package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrite(t *testing.T) {
	for name, write := range map[string]func(path string, data []byte) error{
		"durable":  func(path string, data []byte) error { return Write(path, data, 0o600) },
		"volatile": WriteVolatile,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			for _, data := range []string{"the first, longer version", "second"} {
				if err := write(path, []byte(data)); err != nil {
					t.Fatal(err)
				}
				checkOnly(t, path, data, 0o600)
			}
		})
	}
}

// The mode is the one asked for, whatever the umask and the file that was there.
func TestWrite_Mode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, mode := range []os.FileMode{0o644, 0o600, 0o664} {
		if err := Write(path, nil, mode); err != nil {
			t.Fatal(err)
		}
		checkOnly(t, path, "", mode)
	}
}

func TestStage_Discard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Stage(path, []byte("new"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	s.Discard()
	checkOnly(t, path, "old", 0o600)
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := Create(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want %v", err, fs.ErrExist)
	}
	checkOnly(t, path, "first", 0o600)
}

func TestJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var got map[string]int
	if err := ReadJSON(path, &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for a missing file, want %v", err, fs.ErrNotExist)
	}
	if err := WriteJSON(path, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	checkOnly(t, path, "{\"a\":1}\n", 0o600)
	if err := ReadJSON(path, &got); err != nil || got["a"] != 1 {
		t.Errorf("got %v (%v), want a: 1", got, err)
	}
	if err := Write(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ReadJSON(path, &got); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v for a damaged file, want an error with its path", err)
	}
}

// checkOnly checks a file, and that nothing else is left in its directory.
func checkOnly(t *testing.T, path, want string, mode os.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != mode {
		t.Errorf("got mode %v (%v), want %v", info.Mode(), err, mode)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("got %d files (%v), want 1", len(entries), err)
	}
}
