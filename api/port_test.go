package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
)

// A port answers from the start: the master is alive, not ready, and refuses requests with the code loading. Once it is
// open, its handler answers.
func TestPort_Loading(t *testing.T) {
	p := NewPort(PortConfig{
		Version: "1.2.3", Phase: func() string { return "counting jobs" }, Logger: hclog.NewNullLogger(),
	})
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRecorder()
		p.http.Handler.ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
		return r
	}
	for path, want := range map[string]int{
		"/health": 200, "/health/live": 200, "/health/ready": 503, "/health/leader": 503,
		"/jobs": 503, "/metrics": 503, "/nothing": 503,
	} {
		r := get(path)
		var body struct {
			Error   string
			Code    ffrtmp.Code
			Reasons []string
		}
		if err := json.Unmarshal(r.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		if r.Code != want || !strings.Contains(r.Header().Get("Content-Type"), "application/json") {
			t.Errorf("%s: got %d, headers %v, want %d and JSON", path, r.Code, r.Header(), want)
		}
		refused := want == http.StatusServiceUnavailable
		if (body.Code == ffrtmp.Loading) != refused || (r.Header().Get("Retry-After") != "") != refused {
			t.Errorf("%s: got %+v, headers %v, want the code loading and Retry-After: %v", path, body, r.Header(),
				refused)
		}
		if got := body.Error + strings.Join(body.Reasons, " "); !strings.Contains(got, "counting jobs") {
			t.Errorf("%s: got %+v, want the phase", path, body)
		}
	}
	p.Open(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	if r := get("/jobs"); r.Code != http.StatusTeapot {
		t.Errorf("open: got %d, want %d", r.Code, http.StatusTeapot)
	}
}
