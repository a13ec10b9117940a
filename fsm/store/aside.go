package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// SetAside moves the current file, which must be closed, into dir. The caller makes
// another one the current file.
func (f *Files) SetAside(dir string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		from := f.Current() + suffix
		err := os.Rename(from, filepath.Join(dir, filepath.Base(from)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return atomicfile.SyncDir(dir)
}
