package store

import (
	"embed"
	"errors"
	"fmt"
)

// Application ids mark a SQLite file as ours. Development versions had another id and schema.
const (
	applicationID = 0x66667235 // "ffr5"
	developmentID = 0x66667274 // "ffrt"
)

// ErrVersion means that a database was written by another version of this program and is not supported.
var ErrVersion = errors.New("state was written by another version of this program")

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is a step of the schema.
type migration struct{ name, sql string }

// migrations are all steps in order. A database's user_version counts those applied.
var migrations = readMigrations()

// SchemaVersion is that of the databases that this program writes.
var SchemaVersion = len(migrations)

func readMigrations() []migration {
	entries, err := migrationFiles.ReadDir("migrations") // sorted by name
	if err != nil {
		panic(err) // embedded: cannot fail
	}
	list := make([]migration, len(entries))
	for i, e := range entries {
		sql, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			panic(err)
		}
		list[i] = migration{e.Name(), string(sql)}
	}
	return list
}

// migrate applies the missing migrations, each in a transaction. Nothing else uses the
// file yet.
func (w *writer) migrate(list []migration) error {
	id, err := w.value("PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := w.value("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case id == developmentID:
		return fmt.Errorf("%w: development versions are not migrated", ErrVersion)
	case int(version) > len(list):
		return fmt.Errorf("%w: schema version %d; this program supports %d", ErrVersion, version, len(list))
	}
	for i, m := range list[version:] {
		sql := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			m.sql, applicationID, int(version)+i+1)
		if err := w.run(sql); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}
