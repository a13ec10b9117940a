package usersql

import (
	"testing"

	"modernc.org/sqlite/vtab"

	"github.com/ffrtmp/ffrtmp"
)

// Too many concurrent queries are rejected at once.
func TestQuery_Concurrency(t *testing.T) {
	r := New(nil, DefaultLimits)
	for range maxQueries {
		r.active <- struct{}{}
	}
	if _, err := r.Query(t.Context(), "SELECT 1"); ffrtmp.CodeOf(err) != ffrtmp.RateLimited {
		t.Errorf("got %v, want %s", err, ffrtmp.RateLimited)
	}
}

// Orders, equalities and bounds by a job's number are left to the state, so that a limit ends the read.
func TestBestIndex(t *testing.T) {
	v := &view{name: "jobs", columns: []string{"id", "sequence_number", "status"}}
	bound := func(column int, op vtab.ConstraintOp) []vtab.Constraint {
		return []vtab.Constraint{{Column: column, Op: op, Usable: true, ArgIndex: -1}}
	}
	for name, tt := range map[string]struct {
		info     vtab.IndexInfo
		column   int64
		plan     string
		consumed bool
	}{
		"everything":       {vtab.IndexInfo{ColUsed: 3}, -1, "3,,", false},
		"newest first":     {vtab.IndexInfo{OrderBy: []vtab.OrderBy{{Column: 1, Desc: true}}}, -1, "0,,DESC", true},
		"oldest first":     {vtab.IndexInfo{OrderBy: []vtab.OrderBy{{Column: 1}}}, -1, "0,,ASC", true},
		"another order":    {vtab.IndexInfo{OrderBy: []vtab.OrderBy{{Column: 2}}}, -1, "0,,", false},
		"two orders":       {vtab.IndexInfo{OrderBy: []vtab.OrderBy{{Column: 1}, {Column: 2}}}, -1, "0,,", false},
		"an id":            {vtab.IndexInfo{Constraints: bound(0, vtab.OpEQ)}, 0, "0,=,", false},
		"a bound":          {vtab.IndexInfo{Constraints: bound(1, vtab.OpLE)}, 1, "0,<=,", false},
		"a bound of an id": {vtab.IndexInfo{Constraints: bound(0, vtab.OpLE)}, -1, "0,,", false},
	} {
		if err := v.BestIndex(&tt.info); err != nil || tt.info.IdxNum != tt.column || tt.info.IdxStr != tt.plan ||
			tt.info.OrderByConsumed != tt.consumed {
			t.Errorf("%s: got column %d, plan %q, consumed %v, %v, want %d, %q, %v", name,
				tt.info.IdxNum, tt.info.IdxStr, tt.info.OrderByConsumed, err, tt.column, tt.plan, tt.consumed)
		}
	}
}
