package snapshot

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// newDB creates a WAL database like a master's, with a table of rows.
func newDB(t testing.TB, rows int) *sql.DB {
	t.Helper()
	dsn := sqlitedsn.File(filepath.Join(t.TempDir(), "live.db"), "_pragma=journal_mode(wal)",
		"_pragma=synchronous(off)",
		"_pragma=busy_timeout(5000)")
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, db)
	exec(t, db, "CREATE TABLE item (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")
	exec(t, db, "CREATE INDEX item_body ON item (body)")
	exec(t, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO item (body) SELECT 'job number ' || i || hex(i * 2654435761) FROM n`, rows)
	return db
}

func exec(t testing.TB, db *sql.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}

func pin(t testing.TB, db *sql.DB) *Image {
	t.Helper()
	img, err := Pin(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, img)
	return img
}

var manifest = Manifest{
	SchemaVersion: 3, Index: 1234, Term: 5, ClusterID: "6f1f2c5e", CreatedAt: time.Date(2026, 11, 22, 1, 2, 3, 4,
		time.UTC),
}

// capture returns a snapshot of a database.
func capture(t testing.TB, db *sql.DB) []byte {
	t.Helper()
	img := pin(t, db)
	var out bytes.Buffer
	if err := img.Write(context.Background(), &out, manifest); err != nil {
		t.Fatal(err)
	}
	if err := img.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// content returns the rows of the table.
func content(t testing.TB, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitedsn.File(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return contentOf(t, db)
}

func contentOf(t testing.TB, db *sql.DB) string {
	t.Helper()
	var s sql.NullString
	if err := db.QueryRow("SELECT group_concat(id || '=' || body, ';' ORDER BY id) FROM item").Scan(&s); err != nil {
		t.Fatal(err)
	}
	return s.String
}

func expectEmpty(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Fatalf("left behind: %v", entries)
	}
}
