package store

import (
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// filled is a database whose table x has rows of many sizes; some are longer than a page.
func filled(t *testing.T, rows int) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, text := range []string{
		`CREATE TABLE x (seq INTEGER PRIMARY KEY, a INTEGER, b TEXT, c INTEGER NOT NULL, d BLOB) STRICT`,
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO x SELECT 3 * i, CASE i %% 7 WHEN 0 THEN NULL WHEN 1 THEN 0 WHEN 2 THEN 1 WHEN 3 THEN -1
	ELSE (i * 7919 - 100000) << (i %% 48) END,
	CASE WHEN i %% 500 = 0 THEN printf('%%.*c', i * 40, 'z') WHEN i %% 3 = 0 THEN NULL ELSE 'row ' || i END,
	-i, CASE WHEN i %% 2 THEN zeroblob(i %% 20) ELSE CAST('d' || i AS BLOB) END FROM n`, rows),
		`DELETE FROM x WHERE seq BETWEEN 3000 AND 4000`,
	} {
		if err := db.run(text); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// readTable reads columns of x from its pages.
func readTable(db *DB, wanted []int64, columns ...string) (rows []string, err error) {
	err = db.Consistently(func() error {
		table, err := db.OpenTable("x", columns...)
		if err != nil {
			return err
		}
		return table.Each(wanted, func(seq int64, fields []Field) error {
			row := fmt.Sprint(seq)
			for _, f := range fields {
				row += fmt.Sprintf("|%d|%s", f.Int, f.Text)
			}
			rows = append(rows, row)
			return nil
		})
	})
	return rows, err
}

// selected reads the same by SQL.
func selected(t *testing.T, db *DB) (seqs []int64, rows []string) {
	t.Helper()
	result, err := db.query(`SELECT seq, coalesce(a, 0), coalesce(b, ''), c, d FROM x ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]driver.Value, 5)
	for result.Next(row) == nil {
		seqs = append(seqs, row[0].(int64))
		rows = append(rows, fmt.Sprintf("%d|%d||0|%s|%d||0|%s", row[0], row[1], row[2], row[3], row[4]))
	}
	if err := result.Close(); err != nil {
		t.Fatal(err)
	}
	return seqs, rows
}

// The rows of a table are the same by its pages and by SQL: integers of every size, NULL, texts that fill many pages,
// some of them still in the WAL.
func TestTable_Each(t *testing.T) {
	db := filled(t, 20_000)
	seqs, want := selected(t, db)
	got, err := readTable(db, nil, "a", "b", "c", "d")
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %d rows, %v, want the %d of SQL", len(got), err, len(want))
	}
	// Only those that are wanted; numbers that do not exist are skipped.
	var some []int64
	var of []string
	for i := 0; i < len(seqs); i += 701 {
		some, of = append(some, seqs[i], seqs[i]+1), append(of, want[i])
	}
	got, err = readTable(db, append(some, 1<<40), "a", "b", "c", "d")
	if err != nil || !slices.Equal(got, of) {
		t.Errorf("got %d rows, %v, want %d", len(got), err, len(of))
	}
	if got, err := readTable(db, []int64{}, "a"); err != nil || len(got) > 0 {
		t.Errorf("none wanted: got %q, %v", got, err)
	}
	if _, err := readTable(db, nil, "c", "a"); err == nil || !strings.Contains(err.Error(), "a") {
		t.Errorf("columns in another order: got %v, want an error that names one", err)
	}
	if err := db.run(`DELETE FROM x`); err != nil {
		t.Fatal(err)
	}
	if got, err := readTable(db, nil, "a"); err != nil || len(got) > 0 {
		t.Errorf("empty table: got %d rows, %v", len(got), err)
	}
}

// A row is read as the transaction has it, also before it is committed.
func TestTable_Uncommitted(t *testing.T) {
	db := filled(t, 10)
	err := db.Consistently(func() error {
		if err := db.run(`UPDATE x SET a = 4711 WHERE seq = 6`); err != nil {
			return err
		}
		table, err := db.OpenTable("x", "a")
		if err != nil {
			return err
		}
		return table.Each([]int64{6}, func(_ int64, f []Field) error {
			if f[0].Int != 4711 {
				t.Errorf("got %d, want 4711", f[0].Int)
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// The end of the callback's interest ends the reading, and its error is returned.
func TestTable_Stopped(t *testing.T) {
	db := filled(t, 5_000)
	err := db.Consistently(func() error {
		table, err := db.OpenTable("x", "a")
		if err != nil {
			return err
		}
		return table.Each(nil, func(seq int64, _ []Field) error { return fmt.Errorf("enough at %d", seq) })
	})
	if err == nil || !strings.Contains(err.Error(), "enough at 3") {
		t.Errorf("got %v, want the callback's error", err)
	}
}

// Any bytes in place of a page give an error or rows, but no panic and no endless loop.
func FuzzTable_Damaged(f *testing.F) {
	f.Add([]byte{leafPage, 0, 0, 0, 1, 0x0f, 0xf0, 0, 0x0f, 0xf0}, uint16(0))
	f.Add([]byte{interiorPage, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 2}, uint16(0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(4000))
	f.Fuzz(func(t *testing.T, change []byte, at uint16) {
		page := make([]byte, 4096)
		page[0] = leafPage
		copy(page[int(at)%len(page):], change)
		read := 0
		table := &Table{
			usable: len(page) - 35*int(at%2), columns: []int{1, 2},
			page: func(uint32) ([]byte, error) {
				if read++; read > 50 {
					return nil, errRecord
				}
				return page, nil
			},
			send: func(rows []rowBytes) error {
				for _, row := range rows {
					_ = parseRecord(row.record, []int{1, 2}, make([]Field, 2)) // any error will do
				}
				return nil
			},
		}
		_ = table.walk(2, 0) // any error will do
	})
}
