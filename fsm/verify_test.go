package fsm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// After kill -9 the WAL must have every frame that was committed: SQLite takes the rest of it for all there is.
func TestVerify_WAL(t *testing.T) {
	dir := t.TempDir()
	c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir, bootID: "boot-1"})
	for range 100 {
		c.submit()
	}
	c.settle()
	wal := filepath.Base(c.fsm.state.Path()) + "-wal"
	cut := func(at func(size int) int) func(path string) error {
		return func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return os.Truncate(path, int64(at(int(info.Size()))))
		}
	}
	flip := func(at func(size int) int) func(path string) error {
		return func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[at(len(data))] ^= 4
			return os.WriteFile(path, data, 0o600)
		}
	}
	half := func(size int) int { return size / 2 }
	at := func(n int) func(int) int { return func(int) int { return n } }
	for name, harm := range map[string]func(path string) error{
		"intact":                  func(string) error { return nil },
		"missing":                 os.Remove,
		"empty":                   cut(at(0)),
		"half":                    cut(half),
		"a page less":             cut(func(size int) int { return size - 4096 - 24 }),
		"a byte less":             cut(func(size int) int { return size - 1 }),
		"flipped in a page":       flip(half),
		"flipped in the header":   flip(at(9)),
		"flipped header checksum": flip(at(25)),
		"flipped frame salt":      flip(at(32 + 10)),
		"flipped frame checksum":  flip(at(32 + 17)),
		"flipped commit mark":     flip(at(32 + 6)),
		"without its index": func(path string) error {
			return os.Remove(strings.TrimSuffix(path, "wal") + "shm")
		},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "copy")
			check(t, exec.Command("cp", "-a", dir, copied).Run())
			check(t, harm(filepath.Join(copied, wal)))
			f, err := Open(Options{Path: filepath.Join(copied, "master.db"), Dir: copied, bootID: "boot-1"})
			check(t, err)
			defer func() { check(t, f.Close()) }()
			if err := f.Verify(); (err == nil) != (name == "intact") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A state that was closed is trusted only as it was closed, whatever changed it.
func TestVerify_ChangedSinceClose(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, path string){
		"a bit": func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			check(t, err)
			data[len(data)/2] ^= 1
			check(t, os.WriteFile(path, data, 0o600))
		},
		"truncated":    func(t *testing.T, path string) { check(t, os.Truncate(path, 8192)) },
		"by sqlite3":   func(t *testing.T, path string) { shell(t, path, "UPDATE job_state SET priority = 2") },
		"another WAL":  func(t *testing.T, path string) { write(t, path+"-wal", "x") },
		"not at all":   func(*testing.T, string) {},
		"only sqlite3": func(t *testing.T, path string) { shell(t, path, "SELECT count(*) FROM jobs") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: dir, bootID: "boot-1"})
			c.submit()
			path := c.fsm.state.Path()
			check(t, c.fsm.Close())
			harm(t, path)
			f, err := Open(c.opts)
			check(t, err)
			defer func() { check(t, f.Close()) }()
			trusted := name == "not at all" || name == "only sqlite3"
			if err := f.Verify(); (err == nil) != trusted {
				t.Errorf("got %v, trusted: want %v", err, trusted)
			}
		})
	}
}
