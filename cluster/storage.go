package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/filelock"
)

// ErrDirInUse is returned when another process holds the raft directory.
var ErrDirInUse = errors.New("in use by another process: stop the master that runs on it first")

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

// has reports whether a document is there, damaged or not.
func (s *storage) has(name string) bool {
	if s.inMemory() {
		return false
	}
	_, err := os.Lstat(s.file(name))
	return err == nil
}

// load reads a document into v; a missing one leaves v as it is, and so does one
// that is not as it was saved, which is a *DamagedError.
func (s *storage) load(name string, v any) error {
	if s.inMemory() {
		return nil
	}
	data, err := os.ReadFile(s.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	data, intact := unsealDocument(name, data)
	if !intact {
		return &DamagedError{Path: s.file(name), What: "wrong checksum"}
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", s.file(name), err)
	}
	return nil
}

// save makes a document durable before it returns.
func (s *storage) save(name string, v any) error {
	if s.inMemory() {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return atomicfile.Write(s.file(name), sealDocument(name, data), 0o600)
}

// sealDocument returns a document as it is stored: a second line has the checksum of
// the first, and of the name, so that no document is taken for another.
func sealDocument(name string, data []byte) []byte {
	sum := crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, data)
	return fmt.Appendf(nil, "%s\ncrc32c %08x\n", data, sum)
}

// unsealDocument returns the document, and whether it is intact.
func unsealDocument(name string, stored []byte) ([]byte, bool) {
	data, _, found := bytes.Cut(stored, []byte("\n"))
	return data, found && bytes.Equal(stored, sealDocument(name, data))
}

// close releases the directory for another process.
func (s *storage) close() error {
	if s.lock == nil {
		return nil
	}
	return s.lock.Close()
}
