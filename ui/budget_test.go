package ui

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// fakeAPI answers with nothing in particular, and counts requests and the rows that they ask for at most.
type fakeAPI struct{ requests, rows int }

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.requests++
	if limit, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		f.rows += limit
	}
	body := `{}`
	if r.URL.Path == "/session" {
		body = `{"scopes":["admin"]}`
	}
	_, _ = w.Write([]byte(body))
}

// What a page costs depends neither on the number of jobs nor on what they are: each makes a few requests for a bounded
// number of rows.
func TestPages_Budget(t *testing.T) {
	api := &fakeAPI{}
	c, err := New(Config{
		API: api, Masters: func() []string { return nil }, Self: func() string { return "" },
		Logger: hclog.NewNullLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fakeAPI{
		"/ui/":                              {7, 24},
		"/ui/jobs":                          {3, 50},
		"/ui/jobs?status=failed&q=film":     {3, 50},
		"/ui/jobs/rows?ids=1,2,3":           {4, 0},
		"/ui/jobs/1":                        {4, 0},
		"/ui/nodes":                         {3, 1000},
		"/ui/nodes/1":                       {5, 320},
		"/ui/cluster":                       {2, 0},
		"/ui/masters":                       {2, 0},
		"/ui/submit":                        {2, 0},
		"/ui/keys":                          {2, 0},
		"/ui/audit":                         {2, 100},
		"/ui/activity":                      {3, 1},
		"/ui/query":                         {1, 0},
		"/ui/jobs/rows?ids=" + ids(maxRows): {1 + maxRows, 0},
	} {
		*api = fakeAPI{}
		answer := httptest.NewRecorder()
		c.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		if answer.Code != http.StatusOK || *api != want {
			t.Errorf("%.40s: got %d, requests and rows %+v, want 200 and %+v", path, answer.Code, *api, want)
		}
	}
}

// ids lists some ids.
func ids(n int) string { return strings.TrimSuffix(strings.Repeat("1,", n), ",") }
