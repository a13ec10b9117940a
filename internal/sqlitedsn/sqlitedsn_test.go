package sqlitedsn

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "50% of #1 ?.db")
	db, err := sql.Open("sqlite", File(path, "_pragma=user_version(7)", "_pragma=busy_timeout(5000)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version int
	if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 7 {
		t.Errorf("got version %d (%v), want 7", version, err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	db, err := sql.Open("sqlite", Memory("_pragma=user_version(7)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version int
	if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 7 {
		t.Errorf("got version %d (%v), want 7", version, err)
	}
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("got files %v (%v), want none", files, err)
	}
}
