package store

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// SetAside moves the current file, which must be closed, into dir. The caller then
// chooses another current file.
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

// CopyState copies a state file that no process has open into dir, and returns the
// link to open it by and whether the copy is trusted to be complete.
func CopyState(from, dir string) (link string, trusted bool, err error) {
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return "", false, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false, err
	}
	to := filepath.Join(dir, "state-copy.db")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.Open(from + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err == nil {
			err = errors.Join(copyTo(to+suffix, data), data.Close())
		}
		if err != nil {
			return "", false, err
		}
	}
	f := &Files{dir: dir, link: filepath.Join(dir, "state.db"), current: to, bootID: kernelBootID()}
	if data, err := os.ReadFile(filepath.Join(filepath.Dir(from), TrustFile)); err == nil {
		trusted = json.Unmarshal(data, &f.record) == nil && f.trustCopy(from)
	}
	if err := f.Use(to); err != nil {
		return "", false, err
	}
	f.record.Copy = true
	return f.link, trusted, f.writeRecord()
}

// trustCopy is Trust for a copy of the file from.
func (f *Files) trustCopy(from string) bool {
	if f.record.File != filepath.Base(from) {
		return false
	}
	f.record.File = filepath.Base(f.current)
	return f.intact() == nil
}

func copyTo(path string, from io.Reader) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, from)
	return errors.Join(err, out.Close())
}
