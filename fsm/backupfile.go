package fsm

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// OpenBackup makes a state file in dir of a backup, or of a copy of a master's database, and checks
// all of it: checksums, SQLite's own check, schema, and whether a master could load it. The caller
// removes the file. An error that wraps snapshot.ErrCorrupt, snapshot.ErrVersion, store.ErrVersion
// or store.ErrForeign is about the backup.
func OpenBackup(r io.Reader, dir string) (path string, m snapshot.Manifest, err error) {
	source := bufio.NewReaderSize(r, 256<<10)
	head, err := source.Peek(store.HeaderBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", m, err
	}
	kind := store.KindOf(head)
	switch kind {
	case store.KindBackup:
		path, m, err = snapshot.InstallBackup(source, dir)
	case store.KindState:
		path, err = snapshot.InstallCopy(source, dir)
	default:
		return "", m, fmt.Errorf("%w: it is neither a backup nor a copy of a master's database", store.ErrForeign)
	}
	if err != nil {
		return "", m, err
	}
	loaded, err := tryLoad(path)
	if err == nil && kind == store.KindBackup && (loaded.Index != m.Index || loaded.Term != m.Term) {
		err = fmt.Errorf("%w: database is at entry %d of term %d, manifest at %d of %d", snapshot.ErrCorrupt,
			loaded.Index, loaded.Term, m.Index, m.Term)
	}
	if err != nil {
		return "", m, errors.Join(err, store.Remove(path))
	}
	if kind == store.KindState {
		m = loaded
	}
	return path, m, nil
}

// tryLoad loads a state file as a master would, which also migrates it.
func tryLoad(path string) (m snapshot.Manifest, err error) {
	if err := store.CheckHeader(path); err != nil {
		return m, err
	}
	s, err := openState(path)
	if errors.Is(err, store.ErrVersion) {
		return m, err
	}
	if err != nil {
		return m, fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return factsOf(s.Pins().QueryRowContext(context.Background(), store.BackupFacts))
}

// factsOf reads what a manifest says of a state.
func factsOf(row *sql.Row) (m snapshot.Manifest, err error) {
	m.SchemaVersion = store.SchemaVersion
	var at int64
	err = row.Scan(&m.Index, &m.Term, &m.LeaseEpoch, &at, &m.Jobs, &m.Nodes, &m.Keys)
	m.CreatedAt = store.TimeOf(at)
	return m, err
}

// PackState writes a backup of a master's database at a path, which need not be at rest, to w.
func PackState(ctx context.Context, path string, w io.Writer) (m snapshot.Manifest, err error) {
	if err := store.CheckHeader(path); err != nil {
		return m, err
	}
	options := []string{"mode=ro"}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		options = append(options, "immutable=1")
	}
	db, err := sql.Open("sqlite", sqlitedsn.File(path, options...))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	image, err := snapshot.Pin(ctx, db)
	if err != nil {
		return m, fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	if m, err = factsOf(image.QueryRowContext(ctx, store.BackupFacts)); err != nil {
		return m, fmt.Errorf("%w: %w", snapshot.ErrCorrupt, err)
	}
	if err := image.QueryRowContext(ctx, "PRAGMA user_version").Scan(&m.SchemaVersion); err != nil {
		return m, err
	}
	return m, image.WriteBackup(ctx, w, m)
}
