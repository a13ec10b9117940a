package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Publish moves a finished work file to its final place, and returns once both
// its content and its name are on the disk. A file that was there before is
// replaced. When work is gone and final is there, it was published before, and
// Publish only makes sure of the disk. Both lie in the same directory.
func Publish(work, final recipe.File) error {
	if work.Root != final.Root || filepath.Dir(work.Name) != filepath.Dir(final.Name) {
		return fmt.Errorf("publish %s: not beside %s", work.Path(), final.Path())
	}
	root, err := os.OpenRoot(work.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	err = syncName(root, work.Name)
	switch {
	case err == nil:
		if err := root.Rename(work.Name, final.Name); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist):
		if err := syncName(root, final.Name); err != nil {
			return err
		}
	default:
		return err
	}
	return syncName(root, filepath.Dir(final.Name))
}

// syncName makes the content of a file or directory durable.
func syncName(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that is there by now is not waited for
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
