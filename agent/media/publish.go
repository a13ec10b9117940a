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

// Publish renames a finished work file to its final name, which it may replace, and
// returns once content and name are on disk. If only final exists, it was published
// before, and Publish only syncs. Both must be in one directory.
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

// syncName syncs a file or directory.
func syncName(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // never blocks on a pipe
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
