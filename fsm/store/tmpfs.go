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

// openMemoryDir makes a directory for a state that is to be gone with its process, in the
// first of the parents where that is possible. It belongs to the process that holds its
// lock: those of processes that were killed are removed first.
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

// errRaced is returned when another process has taken a new directory for an old one.
var errRaced = errors.New("the directory was removed before it was locked")

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

// sweepMemory removes the directories that no process holds.
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
