package store

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
)

// Lists look up their rows by number: no query scans a table.
func TestLists_QueryPlans(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, q := range []query{queryJobs, queryText} {
		searched := false
		plan, err := db.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+queries[q], "[1]", "%x%")
		err = sqlrows.Each(plan, err, func(rows *sql.Rows) error {
			var id, parent, unused int
			var step string
			err := rows.Scan(&id, &parent, &unused, &step)
			if strings.HasPrefix(step, "SCAN") && !strings.HasPrefix(step, "SCAN json_each VIRTUAL TABLE") {
				t.Errorf("%s: got step %q, want a search by key", queries[q], step)
			}
			searched = searched || strings.Contains(step, "USING INTEGER PRIMARY KEY")
			return err
		})
		if err != nil || !searched {
			t.Errorf("%s: got no search by number, want one: %v", queries[q], err)
		}
	}
}
