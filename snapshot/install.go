package snapshot

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// FilePattern is the pattern (as in os.CreateTemp and filepath.Glob) of the files that Install makes. A process that
// dies
// inside Install leaves one behind; the owner of the directory may remove all that it does not use.
const FilePattern = "state-*.db"

// maxWindow bounds the memory that a stream can make its reader take.
const maxWindow = 64 << 20

// Install writes the database of a snapshot to a new file in dir (mode 0600) and returns its path. By then the checksum
// is right, SQLite has found the database whole, and file and directory are on the disk. On any error nothing is left
// in
// dir. The reader must end where the snapshot ends.
func Install(r io.Reader, dir string) (path string, m Manifest, err error) {
	return install(dir, func(w io.Writer) (Manifest, error) { return unpack(w, r) })
}

// install makes a new file in dir of what unpack writes.
func install(dir string, unpack func(io.Writer) (Manifest, error)) (path string, m Manifest, err error) {
	f, err := os.CreateTemp(dir, FilePattern)
	if err != nil {
		return "", Manifest{}, fmt.Errorf("install snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // a second time, mostly
			_ = os.Remove(f.Name())
			path, m, err = "", Manifest{}, fmt.Errorf("install snapshot: %w", err)
		}
	}()
	if m, err = unpack(f); err != nil {
		return "", m, err
	}
	if err := f.Sync(); err != nil {
		return "", m, err
	}
	if err := f.Close(); err != nil { // before SQLite opens it: closing it later would drop SQLite's locks
		return "", m, err
	}
	if err := integrityCheck(f.Name()); err != nil {
		return "", m, err
	}
	if err := atomicfile.SyncDir(dir); err != nil {
		return "", m, err
	}
	return f.Name(), m, nil
}

// unpack copies the database of a snapshot to w, and vouches for it only when the checksum is right.
func unpack(w io.Writer, r io.Reader) (Manifest, error) {
	body := newBody(r, plainSeal)
	m, err := ReadManifest(body)
	if err != nil {
		return m, err
	}
	dec, err := zstd.NewReader(body, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return m, fmt.Errorf("decompress: %w", err)
	}
	defer dec.Close()
	n, err := io.Copy(w, io.LimitReader(dec, m.Size))
	if err == nil && n == m.Size {
		err = expectEnd(dec)
	}
	switch {
	case body.failed() != nil:
		return m, fmt.Errorf("read: %w", body.failed())
	case errors.As(err, new(*os.PathError)):
		return m, err // the disk's fault, not the stream's
	case err != nil:
		return m, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case n != m.Size:
		return m, fmt.Errorf("%w: database has %d bytes, want %d", ErrCorrupt, n, m.Size)
	}
	return m, body.verify()
}

func expectEnd(r io.Reader) error {
	switch n, err := io.CopyN(io.Discard, r, 1); {
	case n > 0:
		return errors.New("more pages than in the manifest")
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// integrityCheck has SQLite look at the whole file. Immutable, because nobody else knows the file yet: no locks are
// taken, and no WAL is made beside it.
func integrityCheck(path string) error {
	db, err := sql.Open("sqlite", sqlitedsn.File(path, "mode=ro", "immutable=1"))
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	defer db.Close()
	var outcome string
	var failure *sqlite.Error
	switch err := db.QueryRow("PRAGMA integrity_check(1)").Scan(&outcome); {
	case errors.As(err, &failure) && (failure.Code() == sqlitelib.SQLITE_CORRUPT ||
		failure.Code() == sqlitelib.SQLITE_NOTADB):
		return fmt.Errorf("%w: check database: %w", ErrCorrupt, err)
	case err != nil:
		return fmt.Errorf("check database: %w", err)
	case outcome != "ok":
		return fmt.Errorf("%w: check database: %s", ErrCorrupt, outcome)
	}
	return nil
}
