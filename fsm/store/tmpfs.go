package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp/internal/filelock"
)

const memoryPrefix = "ffrtmp-memory-"

// openMemoryDir creates a directory for a state that ends with its process, in the
// first of the parents where that is possible. The process holds its lock; unlocked
// directories of killed processes are removed first.
func openMemoryDir(parents ...string) (dir string, lock *os.File, err error) {
	for _, parent := range parents {
		if err = sweepMemory(parent); err != nil {
			continue
		}
		for err = errRaced; errors.Is(err, errRaced); {
			dir, lock, err = makeLocked(parent)
		}
		if err == nil {
			return dir, lock, nil
		}
	}
	return "", nil, err
}

// errRaced means that another process mistook a new directory for an unused one.
var errRaced = errors.New("directory removed before it was locked")

func makeLocked(parent string) (string, *os.File, error) {
	dir, err := os.MkdirTemp(parent, memoryPrefix)
	if err != nil {
		return "", nil, err
	}
	lock, err := filelock.OpenDir(dir)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
		return "", nil, errRaced
	}
	if err != nil {
		return "", nil, errors.Join(err, os.Remove(dir))
	}
	if _, err := os.Stat(dir); err != nil {
		return "", nil, errors.Join(errRaced, lock.Close())
	}
	return dir, lock, nil
}

// sweepMemory removes unlocked directories.
func sweepMemory(parent string) error {
	found, err := filepath.Glob(filepath.Join(parent, memoryPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range found {
		lock, err := filelock.OpenDir(dir)
		if err != nil {
			continue // held, or not ours
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}
