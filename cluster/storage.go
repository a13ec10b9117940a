package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/filelock"
)

// ErrDirInUse is returned when another process holds the raft directory.
var ErrDirInUse = errors.New("raft directory is in use by another process")

// storage is the raft directory: small JSON documents beside log and
// snapshots, and the lock that keeps a second process out. With no path
// nothing is kept.
type storage struct {
	path string
	lock *os.File
}

// openStorage creates the directory when it is missing and locks it.
func openStorage(path string) (*storage, error) {
	if path == "" {
		return &storage{}, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("raft directory: %w", err)
	}
	lock, err := filelock.Open(filepath.Join(path, "lock"))
	if errors.Is(err, filelock.ErrHeld) {
		err = ErrDirInUse
	}
	if err != nil {
		return nil, fmt.Errorf("raft directory %s: %w", path, err)
	}
	return &storage{path: path, lock: lock}, nil
}

// inMemory reports whether nothing outlives the process.
func (s *storage) inMemory() bool { return s.path == "" }

func (s *storage) file(name string) string { return filepath.Join(s.path, name) }

// load reads a document into v; a missing one leaves v as it is.
func (s *storage) load(name string, v any) error {
	if s.inMemory() {
		return nil
	}
	err := atomicfile.ReadJSON(s.file(name), v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// save makes a document durable before it returns.
func (s *storage) save(name string, v any) error {
	if s.inMemory() {
		return nil
	}
	return atomicfile.WriteJSON(s.file(name), v)
}

// close releases the directory for another process.
func (s *storage) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}
