package store

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// BackupFacts reads what a backup's manifest says of a state: index, term, lease epoch, time, and
// the number of jobs, nodes and API keys.
const BackupFacts = `SELECT applied_index, applied_term, lease_epoch, time, (SELECT count(*) FROM job_state),
	(SELECT count(*) FROM node WHERE NOT removed), (SELECT count(*) FROM api_key) FROM meta`

// TemporaryFile creates a file in dir that is gone once it is closed, however the process ends.
func TemporaryFile(dir string) (*os.File, error) {
	file, err := os.CreateTemp(dir, "temporary-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// FileKind is what the first bytes of a file say that it is.
type FileKind int

// Kinds of files.
const (
	KindOther  FileKind = iota
	KindBackup          // an archive of snapshot.WriteBackup
	KindState           // a database of a master
)

// HeaderBytes is how much of a file KindOf needs.
const HeaderBytes = 100

// KindOf tells backups and databases of masters from other files, by their first bytes.
func KindOf(head []byte) FileKind {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return KindBackup
	case len(head) >= HeaderBytes && bytes.HasPrefix(head, []byte("SQLite format 3\x00")) &&
		isOurs(binary.BigEndian.Uint32(head[68:])):
		return KindState
	}
	return KindOther
}

func isOurs(id uint32) bool { return id == applicationID || id == developmentID }

// FileKindOf reads the kind of a file.
func FileKindOf(path string) (FileKind, error) {
	file, err := os.Open(path)
	if err != nil {
		return KindOther, err
	}
	defer file.Close()
	head := make([]byte, HeaderBytes)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return KindOther, err
	}
	return KindOf(head[:n]), nil
}

// CheckHeader returns an error unless path is a database of a master, of a version that this program
// can migrate.
func CheckHeader(path string) error {
	kind, err := FileKindOf(path)
	if err != nil {
		return err
	}
	if kind != KindState {
		return fmt.Errorf("%w: %s is not a master's database", ErrForeign, filepath.Base(path))
	}
	return nil
}

// RestorePrefix begins the names of directories in which a backup is checked before it is restored.
const RestorePrefix = "restore-"

// removeRestores removes what a process that died while it checked a backup has left.
func removeRestores(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, RestorePrefix+"*"))
	if err != nil {
		return err
	}
	errs := make([]error, 0, len(found))
	for _, path := range found {
		errs = append(errs, os.RemoveAll(path))
	}
	return errors.Join(errs...)
}

// OpenReadOnly opens a database file that no process changes meanwhile.
func OpenReadOnly(path string) (*sql.DB, error) {
	return sql.Open("sqlite", sqlitedsn.File(path, "mode=ro", "immutable=1"))
}
