package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// ErrForeign means that the path of the state was not created by this package.
var ErrForeign = errors.New("not a state of this program")

// Files is the directory of state files: the current one, the link by which the
// operator finds it, and a record of whether it can be trusted.
type Files struct {
	dir     string
	link    string   // "" for a state in memory
	lock    *os.File // of a directory in memory
	bootID  string
	current string
	fresh   bool // current was just created
	clean   bool // current was closed and synced
	record  record
}

// record is kept in the file TrustFile.
type record struct {
	BootID string `json:"boot_id"`        // of the boot under which the state was written last
	Clean  bool   `json:"clean"`          // it was synced and closed, and not opened since
	File   string `json:"file"`           // name of the state file, in case the link is lost
	Sum    uint32 `json:"sum"`            // checksum of the file as it was closed
	Copy   bool   `json:"copy,omitempty"` // it is opened for all that it has, see CopyState
}

// TrustFile records, beside the state files, whether the current one can be trusted.
const TrustFile = "state-trust.json"

// OpenFiles opens the state files in dir; path is the link to the current one. If there is none, it creates an
// empty one. Without a path they are in memory. bootID names the boot of the machine; "" asks the kernel.
func OpenFiles(path, dir, bootID string) (*Files, error) {
	f := &Files{bootID: bootID}
	if f.bootID == "" {
		f.bootID = kernelBootID()
	}
	if path == "" {
		return f, f.openMemory()
	}
	var err error
	if f.link, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if f.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	f.readRecord()
	if f.current, err = f.target(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	if f.current == "" {
		if f.current = f.recorded(); f.current != "" {
			err = f.linkTo(f.current)
		}
	}
	if err != nil {
		return nil, err
	}
	if f.current == "" {
		if f.current, err = f.Create(); err != nil {
			return nil, err
		}
		f.fresh = true
		return f, f.Use(f.current)
	}
	return f, errors.Join(f.removeOthers(), removeRestores(f.dir))
}

// readRecord reads the record. One that is missing or damaged trusts nothing. A directory in
// its place would keep the next one from being written: it is set aside.
func (f *Files) readRecord() {
	path := filepath.Join(f.dir, TrustFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, syscall.EISDIR) {
		err = errors.Join(err, f.setDirectoryAside(path))
	}
	if err != nil || json.Unmarshal(data, &f.record) != nil {
		f.record = record{}
	}
}

func (f *Files) setDirectoryAside(path string) error {
	aside, err := os.MkdirTemp(f.dir, "aside-")
	if err != nil {
		return err
	}
	return os.Rename(path, filepath.Join(aside, filepath.Base(path)))
}

// recorded returns the state file that the record names, "" when there is none.
func (f *Files) recorded() string {
	name := f.record.File
	if ours, err := filepath.Match(snapshot.FilePattern, name); err != nil || !ours {
		return ""
	}
	path := filepath.Join(f.dir, name)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return path
}

// kernelBootID identifies the boot of the machine. Without it, only a file that was
// closed cleanly is trusted.
func kernelBootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

func (f *Files) openMemory() (err error) {
	if f.dir, f.lock, err = openMemoryDir("/dev/shm", os.TempDir()); err != nil {
		return err
	}
	f.fresh = true
	f.current, err = f.Create()
	return err
}

// target returns the state file that the link points to, "" when there is none.
// Anything else at the link's path is foreign and is not changed.
func (f *Files) target() (string, error) {
	info, err := os.Lstat(f.link)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case info.Mode()&fs.ModeSymlink == 0:
		return "", f.foreign("not a link made by a master")
	}
	target, err := os.Readlink(f.link)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(f.link), target)
	}
	if ours, err := filepath.Match(snapshot.FilePattern, filepath.Base(target)); err != nil || !ours ||
		filepath.Dir(target) != f.dir {
		return "", f.foreign("it links to " + target)
	}
	if _, err := os.Stat(target); errors.Is(err, fs.ErrNotExist) {
		return "", nil // the directory was wiped
	} else if err != nil {
		return "", err
	}
	return target, nil
}

func (f *Files) foreign(why string) error {
	if own := f.recorded(); own != "" {
		return fmt.Errorf("%s: %w: %s; nothing was changed. This master's state is %s: "+
			"move %s away and start again, and the master makes its link anew", f.link, ErrForeign, why, own, f.link)
	}
	info, statErr := os.Lstat(f.link)
	kind, err := FileKindOf(f.link)
	if errors.Join(statErr, err) == nil && info.Mode().IsRegular() && kind != KindOther {
		return fmt.Errorf("%s: %w: it is a snapshot or a copy of a master's database; nothing was changed. "+
			"Start this master with another --db, then restore it: ffrtmp snapshot restore %s",
			f.link, ErrForeign, f.link)
	}
	return fmt.Errorf("%s: %w: %s; nothing was changed. Choose another --db; "+
		"to import the jobs of a v2.2 database: ffrtmp import --from %s",
		f.link, ErrForeign, why, f.link)
}

// Trust returns nil if all writes to the current file are still there. It marks the
// file as open.
func (f *Files) Trust() error {
	if err := f.intact(); err != nil {
		return err
	}
	f.clean = f.fresh || f.record.Clean
	return f.mark(false, f.current)
}

// intact reports what shows that the current file is not as it was left.
func (f *Files) intact() error {
	switch {
	case f.fresh, f.record.Copy:
		return nil
	case f.record.Clean:
		return f.checkClosed()
	case f.record.BootID == "" || f.record.BootID != f.bootID:
		return errors.New("machine went down while the state was open")
	}
	return checkWAL(f.current)
}

// checkClosed compares the file with what it was when it was closed.
func (f *Files) checkClosed() error {
	if info, err := os.Stat(f.current + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("the state was closed, and there is a WAL beside it")
	}
	sum, err := checksum(f.current)
	if err != nil {
		return err
	}
	if sum != f.record.Sum || filepath.Base(f.current) != f.record.File {
		return errors.New("the state file is not as it was closed")
	}
	return nil
}

// checksum reads a whole file.
func checksum(path string) (uint32, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err = io.Copy(sum, file)
	return sum.Sum32(), errors.Join(err, file.Close())
}

// Dir is the directory of the state files.
func (f *Files) Dir() string { return f.dir }

// Current is the state file to open.
func (f *Files) Current() string { return f.current }

// Clean reports whether the current file was closed and synced before it was opened.
func (f *Files) Clean() bool { return f.clean }

// mark records that the file at path is the current one, and whether it is closed.
func (f *Files) mark(clean bool, path string) (err error) {
	f.record = record{BootID: f.bootID, Clean: clean, File: filepath.Base(path)}
	if f.link == "" {
		return nil
	}
	if clean {
		if f.record.Sum, err = checksum(path); err != nil {
			return err
		}
	}
	return f.writeRecord()
}

func (f *Files) writeRecord() error {
	data, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(f.dir, TrustFile), data, 0o600)
}

// Distrust prevents a later process from using the current file.
func (f *Files) Distrust() error {
	f.bootID = ""
	return f.mark(false, f.current)
}

// Suspect prevents a later process from using the current file, unless another one takes its place.
func (f *Files) Suspect() error {
	f.record = record{File: filepath.Base(f.current)}
	if f.link == "" {
		return nil
	}
	return f.writeRecord()
}

// Create creates an empty state file.
func (f *Files) Create() (string, error) {
	file, err := os.CreateTemp(f.dir, snapshot.FilePattern)
	if err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// Use makes path the current file. It renames the link, never the file: SQLite would
// replay another file's WAL into it.
func (f *Files) Use(path string) error {
	if err := f.mark(false, path); err != nil {
		return err
	}
	if err := f.linkTo(path); err != nil {
		return err
	}
	f.current = path
	return f.removeOthers()
}

// linkTo makes the link point to a state file.
func (f *Files) linkTo(path string) error {
	if f.link == "" {
		return nil
	}
	target, err := filepath.Rel(filepath.Dir(f.link), path)
	if err != nil {
		target = path
	}
	next := f.link + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, next); err != nil {
		return err
	}
	if err := os.Rename(next, f.link); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(f.link))
}

// removeOthers deletes state files that are no longer or not yet the current one.
func (f *Files) removeOthers() error {
	found, err := filepath.Glob(filepath.Join(f.dir, snapshot.FilePattern))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range found {
		if path != f.current {
			errs = append(errs, Remove(path))
		}
	}
	return errors.Join(errs...)
}

// Close records how the current file was left.
func (f *Files) Close(clean bool) error {
	if f.link == "" {
		return errors.Join(os.RemoveAll(f.dir), f.lock.Close())
	}
	if !clean {
		return nil
	}
	return f.mark(true, f.current)
}
