package store

import (
	"embed"
	"fmt"
	"slices"
)

// applicationID marks a SQLite file as ours: "ffrt".
const applicationID = 0x66667274

//go:embed migrations/*.sql
var migrations embed.FS

// SchemaVersion is the number of migrations; a database records how many it has
// seen as its user_version.
var SchemaVersion = len(migrationNames())

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
