package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A query returns rows.
func TestQuery(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	r := m.want(http.StatusOK, "POST", "/query", `{"sql":"SELECT sequence_number, status, completed_at FROM jobs"}`)
	want := `{"columns":["sequence_number","status","completed_at"],` +
		`"rows":[[1,"pending",null]],"count":1,"truncated":false}`
	if got := strings.TrimSpace(string(r.body)); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if r.Header.Get(ffrtmp.IndexHeader) != "1" {
		t.Errorf("got headers %v, want index 1", r.Header)
	}
	m.want(http.StatusOK, "POST", "/query?consistent", `{"sql":"SELECT 1"}`)
	for body, field := range map[string]string{
		`{}`:                                 "sql",
		`{"sql":1}`:                          "sql",
		`{"sql":"SELECT no_such FROM jobs"}`: "sql",
		`{"sql":"DELETE FROM jobs"}`:         "sql",
		`{"sql":"SELECT ` + strings.Repeat("1+", ffrtmp.MaxSQLBytes) + `1"}`: "sql",
	} {
		var p problem
		m.want(http.StatusBadRequest, "POST", "/query", body).decode(t, &p)
		if p.Field != field || p.Code != ffrtmp.Invalid {
			t.Errorf("%.50s: got %+v, want invalid field %q", body, p, field)
		}
	}
	var p problem
	m.want(http.StatusBadRequest, "POST", "/query", `{"sql":"SELECT no_such FROM jobs"}`).decode(t, &p)
	if !strings.Contains(p.Error, "no such column: no_such") {
		t.Errorf("got %s, want SQLite's message", p.Error)
	}
}

// A stale query needs no leader.
func TestQuery_Stale(t *testing.T) {
	t.Parallel()
	m := startMaster(t, "f1", nil)
	m.want(http.StatusOK, "POST", "/query?stale", `{"sql":"SELECT count(*) FROM jobs"}`)
	m.want(http.StatusBadRequest, "POST", "/query?stale&consistent", `{"sql":"SELECT 1"}`)
}
