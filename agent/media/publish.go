package media

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// jobAttribute is the extended attribute of an output that names its job.
const jobAttribute = "user.ffrtmp.job"

// CheckFree returns a user error when the output exists and its job may not replace it: it neither overwrites, nor
// has made the file itself in an attempt whose end the masters never learned.
func CheckFree(final recipe.File, owner recipe.Owner) error {
	if owner.Overwrite {
		return nil
	}
	if _, err := os.Lstat(final.Path()); errors.Is(err, fs.ErrNotExist) || madeBy(final, owner.JobID) {
		return nil
	}
	return exists(final)
}

func exists(final recipe.File) error {
	return failure.Errorf(ffrtmp.UserError, "output: %s exists; set overwrite to replace it, or use another path",
		final.Path())
}

// madeBy reports whether the job has published the file.
func madeBy(f recipe.File, jobID string) bool {
	file, err := Open(f)
	if err != nil {
		return false
	}
	defer file.Close()
	value := make([]byte, len(jobID)+1)
	n, err := unix.Fgetxattr(int(file.Fd()), jobAttribute, value)
	return err == nil && jobID != "" && string(value[:n]) == jobID
}

// Publish renames a finished work file to its final name and returns once content and name are on disk. If only
// final exists, it was published before, and Publish only syncs. Both must be in one directory. The error has a
// reason.
func Publish(work, final recipe.File, owner recipe.Owner) error {
	err := publish(work, final, owner)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return exists(final)
	default:
		return failure.Errorf(ffrtmp.OutputError, "publish: %w", err)
	}
}

func publish(work, final recipe.File, owner recipe.Owner) error {
	if work.Root != final.Root || filepath.Dir(work.Name) != filepath.Dir(final.Name) {
		return fmt.Errorf("%s is not beside %s", work.Path(), final.Path())
	}
	root, err := os.OpenRoot(work.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	err = syncName(root, work.Name, owner.JobID)
	switch {
	case err == nil:
		if err := rename(root, work.Name, final.Name, owner.Overwrite || madeBy(final, owner.JobID)); err != nil {
			return err
		}
	case errors.Is(err, fs.ErrNotExist):
		if err := syncName(root, final.Name, ""); err != nil {
			return err
		}
	default:
		return err
	}
	return syncName(root, filepath.Dir(final.Name), "")
}

// rename renames a file within its directory. Without replace an existing file is fs.ErrExist, as far as the file
// system can tell.
func rename(root *os.Root, from, to string, replace bool) error {
	if replace {
		return root.Rename(from, to)
	}
	dir, err := root.Open(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	err = unix.Renameat2(fd, filepath.Base(from), fd, filepath.Base(to), unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	// Some network file systems cannot.
	if _, err := root.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return root.Rename(from, to)
}

// syncName syncs a file or directory, and marks a file as the job's if the file system can.
func syncName(root *os.Root, name, jobID string) error {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // never blocks on a pipe
	if err != nil {
		return err
	}
	if jobID != "" {
		_ = unix.Fsetxattr(int(f.Fd()), jobAttribute, []byte(jobID), 0) // best effort, see CheckFree
	}
	return errors.Join(f.Sync(), f.Close())
}
