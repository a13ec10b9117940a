package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Open opens a file for reading. It follows no link that leads out of the root,
// also one made since the file was looked up. A file that has become a pipe or a
// device is an error and does not block.
func Open(f recipe.File) (*os.File, error) {
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

// CheckNotInput returns a user error when publishing to final would replace the
// input, under whatever name: the file at that path, or the target of a link
// there, is the file that input describes.
func CheckNotInput(final recipe.File, input os.FileInfo) error {
	// Links are followed anywhere because nothing is opened. A link that cannot be
	// followed does not lead to the input.
	own, err := os.Stat(final.Path())
	if err == nil && os.SameFile(own, input) {
		return failure.Errorf(ffrtmp.UserError,
			"output: %s is the input itself; a job cannot overwrite what it reads", final.Path())
	}
	return nil
}

// Create makes a new file for reading and writing. It removes an existing one
// first, so that nothing is written through a link or into a file that another
// process has open.
func Create(f recipe.File) (*os.File, error) {
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

// Remove removes a file. A path that cannot name a file is no error.
func Remove(f recipe.File) error {
	root, err := os.OpenRoot(f.Root)
	if err == nil {
		err = errors.Join(root.Remove(f.Name), root.Close())
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG) {
		return nil
	}
	return err
}
