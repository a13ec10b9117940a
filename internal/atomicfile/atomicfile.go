// Package atomicfile replaces whole files: a reader, and the machine after a crash, finds the old contents or the new,
// never a part.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write replaces the file at path and returns once data and name are on disk. The file gets exactly mode.
func Write(path string, data []byte, mode os.FileMode) error {
	s, err := Stage(path, data, mode)
	if err != nil {
		return err
	}
	defer s.Discard()
	return s.Commit()
}

// Staged is a new version of a file, on disk beside it. Two files that belong together are both staged before either is
// committed.
type Staged struct {
	file *renameio.PendingFile
	path string
}

// Stage writes the new version of the file at path without replacing it. The caller commits or discards it.
func Stage(path string, data []byte, mode os.FileMode) (*Staged, error) {
	dir := filepath.Dir(path)
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode))
	if err != nil {
		return nil, err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync()); err != nil {
		return nil, errors.Join(err, file.Cleanup())
	}
	return &Staged{file: file, path: path}, nil
}

// Commit replaces the file and returns once that is on disk.
func (s *Staged) Commit() error {
	if err := s.file.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(s.path))
}

// Discard removes the new version, unless it was committed.
func (s *Staged) Discard() { _ = s.file.Cleanup() }

// WriteVolatile replaces the file at path (mode 0600) without waiting for the disk. After a crash of the machine the
// file may be empty.
func WriteVolatile(path string, data []byte) error {
	temporary, err := writeTemporary(path, data, false)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// Create writes a file (mode 0600) that must not exist yet; where it does, the error is fs.ErrExist and the file stays
// as it is. The contents are on disk before the name appears.
func Create(path string, data []byte) error {
	temporary, err := writeTemporary(path, data, true)
	if err != nil {
		return err
	}
	return errors.Join(os.Link(temporary, path), os.Remove(temporary))
}

func writeTemporary(path string, data []byte, sync bool) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if sync {
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// SyncDir makes the names in a directory durable: files created, renamed and removed.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
