package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// File is a place below a media root, its links resolved when it was looked up.
// Opening it follows no link that leads out of the root, also one made since.
type File struct {
	Root string `json:"root"` // absolute
	Name string `json:"name"` // relative to Root, local
}

// Path returns the absolute path.
func (f File) Path() string { return filepath.Join(f.Root, f.Name) }

// Open opens the file for reading. What has become a pipe or a device since it was
// looked up is an error, and is not waited for.
func (f File) Open() (*os.File, error) {
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.OpenFile(f.Name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", f.Path())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Spare returns a user error when publishing to the file would replace the input,
// under whatever name: what is at its place, or where a link there leads, is the
// very file that input describes.
func (f File) Spare(input os.FileInfo) error {
	// Links are followed anywhere: nothing is opened. What cannot be followed is
	// not a file that could be.
	own, err := os.Stat(f.Path())
	if err == nil && os.SameFile(own, input) {
		return failure.Errorf(ffrtmp.UserError, "output: %s is the input itself; a job cannot write over what it reads", f.Path())
	}
	return nil
}

// Create makes the file anew, for reading and writing; one that is there already
// is removed first, so that nothing is written through a link or into a file that
// another process has open.
func (f File) Create() (*os.File, error) {
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := root.Remove(f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
}

// Remove removes the file; one that is not there, or cannot be, is no error.
func (f File) Remove() error {
	root, err := os.OpenRoot(f.Root)
	if err == nil {
		err = errors.Join(root.Remove(f.Name), root.Close())
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) {
		return nil
	}
	return err
}
