package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func newWriter(t *testing.T, sql string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.db")
	w, err := openWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.run(sql), w.close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A database of a development version or of a newer one is rejected with the reason.
func TestOpen_OtherVersions(t *testing.T) {
	for name, test := range map[string]struct{ sql, reason string }{
		"development": {
			fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 6", developmentID),
			"development versions",
		},
		"newer": {
			fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 7", applicationID),
			"schema version 7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(newWriter(t, test.sql))
			if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("got %v, want %q", err, test.reason)
			}
		})
	}
}

// A new migration is applied once.
func TestMigrate_New(t *testing.T) {
	w, err := openWriter(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	list := []migration{migrations[0], {"0002_madeup.sql", "ALTER TABLE node ADD COLUMN made_up TEXT"}}
	for _, known := range []int{1, 2, 2} {
		if err := w.migrate(list[:known]); err != nil {
			t.Fatal(err)
		}
		if version, err := w.value("PRAGMA user_version"); err != nil || version != int64(known) {
			t.Errorf("got version %d and %v, want %d", version, err, known)
		}
	}
	if err := w.run("SELECT made_up FROM node"); err != nil {
		t.Error(err)
	}
}
