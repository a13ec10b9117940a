package snapshot

import (
	"context"
	"database/sql"
	"io"
	"os"
	"testing"
)

// BenchmarkWrite captures 100,000 rows of about 600 bytes.
func BenchmarkWrite(b *testing.B) {
	db := newDB(b, 0)
	fill(b, db)
	for b.Loop() {
		img := pin(b, db)
		b.SetBytes(img.size)
		if err := img.Write(context.Background(), io.Discard, manifest); err != nil {
			b.Fatal(err)
		}
		if err := img.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInstall verifies and installs them.
func BenchmarkInstall(b *testing.B) {
	db := newDB(b, 0)
	fill(b, db)
	file := b.TempDir() + "/snapshot"
	if err := os.WriteFile(file, capture(b, db), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		path, m, err := Install(f, b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(m.Size)
		_ = f.Close()
		if err := os.Remove(path); err != nil {
			b.Fatal(err)
		}
	}
}

// fill inserts rows the size of a job.
func fill(b *testing.B, db *sql.DB) {
	b.Helper()
	exec(b, db, "DROP INDEX item_body")
	exec(b, db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 100000)
		INSERT INTO item (body) SELECT '{"id":"' || hex(randomblob(16)) || '","parameters":{"preset":"fast","n":' ||
	i ||
	'}}' || hex(zeroblob(200)) FROM n`)
}
