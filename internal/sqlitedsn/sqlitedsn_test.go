package sqlitedsn

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"
)

// checkVersion checks that a database opened with a name runs its pragma user_version(7).
func checkVersion(t *testing.T, name string) {
	t.Helper()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var version int
	if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&version); err != nil || version != 7 {
		t.Errorf("got version %d (%v), want 7", version, err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "50% of #1 ?.db")
	checkVersion(t, File(path, "_pragma=user_version(7)", "_pragma=busy_timeout(5000)"))
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	checkVersion(t, Memory("_pragma=user_version(7)"))
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("got files %v (%v), want none", files, err)
	}
}
