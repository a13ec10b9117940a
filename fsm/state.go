package fsm

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// applicationID marks a SQLite file as ours: "ffrt".
const applicationID = 0x66667274

//go:embed migrations/*.sql
var migrations embed.FS

// schemaVersion is the number of migrations; a database records how many it has
// seen as its user_version.
var schemaVersion = len(migrationNames())

func migrationNames() []string {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // embedded: it is there
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	slices.Sort(names)
	return names
}

// state is one open database and what is derived from it.
type state struct {
	path    string
	file    *os.File // held open to be synced, as its WAL: opening and closing one in between would drop SQLite's locks
	wal     *os.File
	w       *writer
	readers *sql.DB
	queries []*sql.Stmt
	pins    *sql.DB      // of snapshots: no query can keep one waiting, and with it the log
	inUse   sync.RWMutex // held by queries while they read, so that close waits

	meta   meta
	jobs   map[uint64]*activeJob
	active [3]int // jobs that are not over, by the number of their status
	ready  ready
	nodes  nodes
	keys   map[string]*key

	wake    bool // something may be claimed that could not be before
	pruned  bool // rows have been removed
	rekeyed bool // the keys differ from the published ones
}

// lockByDescriptor chooses how SQLite locks files: locks of the default kind belong to
// the process, and closing any descriptor of the file would drop them. It comes before
// the first database of the process is opened; later calls have no effect.
func lockByDescriptor() error {
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) {
		return fmt.Errorf("lock database files by descriptor: %w", err)
	}
	return nil
}

// openState opens a database file, or makes one when there is none, brings its
// schema up to date and fills the memory from it.
func openState(path string) (_ *state, err error) {
	if err := lockByDescriptor(); err != nil {
		return nil, err
	}
	s := &state{path: path, jobs: map[uint64]*activeJob{}, ready: newReady(), nodes: newNodes(), keys: map[string]*key{}, rekeyed: true}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open state %s: %w", path, err), s.close())
		}
	}()
	if s.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return s, err
	}
	if s.w, err = openWriter(path); err != nil {
		return s, err
	}
	if err := s.w.migrate(); err != nil {
		return s, err
	}
	if err := s.w.prepare(); err != nil {
		return s, err
	}
	if s.wal, err = os.OpenFile(path+"-wal", os.O_RDWR, 0); err != nil { // to make one is SQLite's
		return s, err
	}
	if err := s.load(); err != nil {
		return s, err
	}
	return s, s.openReaders()
}

// readLimit bounds the life of a query: while one reads, the WAL cannot be reused.
const readLimit = 30 * time.Second

// checkLimit bounds the check of a database, which reads all of it.
const checkLimit = 10 * time.Minute

func (s *state) openReaders() error {
	connector, err := sqlite.NewConnector(sqlitedsn.File(s.path, busyTimeout, "_pragma=query_only(1)", "_pragma=cache_size(-8192)"))
	if err != nil {
		return err
	}
	s.pins = sql.OpenDB(connector)
	s.readers = sql.OpenDB(connector)
	s.readers.SetMaxOpenConns(2 + 2*runtime.GOMAXPROCS(0))
	s.readers.SetMaxIdleConns(2 + runtime.GOMAXPROCS(0))
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	for _, text := range queries {
		q, err := s.readers.PrepareContext(ctx, text) //nolint:sqlclosecheck // kept as long as the readers, which close it
		if err != nil {
			return fmt.Errorf("prepare %s: %w", text, err)
		}
		s.queries = append(s.queries, q)
	}
	return nil
}

// migrate brings the schema from what the database records to what this program
// needs, a migration a transaction. The file is not used by anybody else yet.
func (w *writer) migrate() error {
	version, err := w.value("PRAGMA user_version")
	if err != nil {
		return err
	}
	names := migrationNames()
	if int(version) > len(names) {
		return fmt.Errorf("its schema has version %d, this program knows %d: it is older than what wrote it", version, len(names))
	}
	for i, name := range names[version:] {
		text, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			return err
		}
		sql := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", text, applicationID, int(version)+i+1)
		if err := w.run(sql); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

// sync puts the database on the disk: the WAL into the file, and that to the disk.
func (s *state) sync() error {
	busy, err := s.w.value("PRAGMA wal_checkpoint(TRUNCATE)")
	if err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("the WAL is still in use")
	}
	return s.file.Sync()
}

// close closes what is open; it may be called on a state that is open in part.
func (s *state) close() error {
	s.inUse.Lock()
	defer s.inUse.Unlock()
	var errs []error
	for _, q := range s.queries {
		errs = append(errs, q.Close())
	}
	for _, db := range []*sql.DB{s.readers, s.pins} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	for _, f := range []*os.File{s.file, s.wal} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// quickCheck has SQLite look through the whole file.
func (s *state) quickCheck() error {
	ctx, cancel := context.WithTimeout(context.Background(), checkLimit)
	defer cancel()
	var said string
	if err := s.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&said); err != nil {
		return fmt.Errorf("check the state: %w", err)
	}
	if said != "ok" {
		return fmt.Errorf("the state is damaged: %s", said)
	}
	return nil
}

// removeState deletes the files of a database that is not open any more.
func removeState(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
