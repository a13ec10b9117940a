package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// DB is one open database file: a connection that writes, a pool that reads, and connections for snapshots.
// The writer belongs to the caller's one applying goroutine; everything else may be used from any goroutine.
type DB struct {
	writer
	path    string
	file    *os.File // held open to be synced, as its WAL: opening and closing one in between would drop SQLite's locks
	wal     *os.File
	readers *sql.DB
	queries []*sql.Stmt
	pins    *sql.DB      // of snapshots, which must not wait for queries
	inUse   sync.RWMutex // held by queries while they read, so that Close waits
}

// LockByDescriptor makes SQLite lock files by descriptor: default locks belong to the
// process, and closing any descriptor of the file drops them. Call it before the
// process opens its first database; later calls have no effect.
func LockByDescriptor() error {
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return fmt.Errorf("lock database files by descriptor: %w", err)
	}
	return nil
}

// Open opens or creates a database file and migrates its schema.
func Open(path string) (_ *DB, err error) {
	if err := LockByDescriptor(); err != nil {
		return nil, err
	}
	db := &DB{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open state %s: %w", path, err), db.Close())
		}
	}()
	if db.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if db.writer, err = openWriter(path); err != nil {
		return nil, err
	}
	if err := db.migrate(migrations); err != nil {
		return nil, err
	}
	if err := db.prepare(); err != nil {
		return nil, err
	}
	if db.wal, err = os.OpenFile(path+"-wal", os.O_RDWR, 0); err != nil { // created by SQLite
		return nil, err
	}
	return db, db.openReaders()
}

// Path is the database file.
func (db *DB) Path() string { return db.path }

// readLimit bounds a query's duration: while one reads, the WAL cannot be reused.
const readLimit = 30 * time.Second

// checkLimit bounds the check of a database, which reads all of it.
const checkLimit = 10 * time.Minute

func (db *DB) openReaders() error {
	connector, err := sqlite.NewConnector(sqlitedsn.File(db.path, busyTimeout, "_pragma=query_only(1)",
		"_pragma=cache_size(-8192)"))
	if err != nil {
		return err
	}
	db.pins = sql.OpenDB(connector)
	db.readers = sql.OpenDB(connector)
	db.readers.SetMaxOpenConns(2 + 2*runtime.GOMAXPROCS(0))
	db.readers.SetMaxIdleConns(2 + runtime.GOMAXPROCS(0))
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	for _, text := range queries {
		//nolint:sqlclosecheck // kept as long as the readers, which close it
		q, err := db.readers.PrepareContext(ctx, text)
		if err != nil {
			return fmt.Errorf("prepare %s: %w", text, err)
		}
		db.queries = append(db.queries, q)
	}
	return nil
}

// Pins are the connections that snapshots read from.
func (db *DB) Pins() *sql.DB { return db.pins }

// Files are the database file and its WAL.
func (db *DB) Files() []*os.File { return []*os.File{db.file, db.wal} }

// Sync checkpoints the WAL into the file and syncs the file.
func (db *DB) Sync() error {
	busy, err := db.value("PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("sync state: WAL is still in use")
	}
	return db.file.Sync()
}

// Close closes everything, once running queries have ended.
func (db *DB) Close() error {
	db.inUse.Lock()
	defer db.inUse.Unlock()
	var errs []error
	for _, q := range db.queries {
		errs = append(errs, q.Close())
	}
	for _, pool := range []*sql.DB{db.readers, db.pins} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	errs = append(errs, db.writer.close())
	for _, f := range db.Files() {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// Check runs SQLite's check over the whole file and returns an error if it is corrupt.
func (db *DB) Check() error {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	var outcome string
	if err := db.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&outcome); err != nil {
		return fmt.Errorf("check state: %w", err)
	}
	if outcome != "ok" {
		return fmt.Errorf("state is corrupt: %s", outcome)
	}
	return nil
}

// Remove deletes the files of a closed database.
func Remove(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
