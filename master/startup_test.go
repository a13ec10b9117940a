package master

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// reply is the part of an answer that the tests compare.
type reply struct {
	Code   ffrtmp.Code
	NodeID string `json:"node_id"`
}

// get reads the JSON of an answer.
func get(t *testing.T, url string) (status int, body reply) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer first")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, body
}

// A master listens before it is ready, answers with the code loading until it runs, and logs each phase of its start.
func TestMaster_Loading(t *testing.T) {
	c, log := inMemory(), &testkit.Buffer{}
	c.DB = filepath.Join(t.TempDir(), "master.db")
	c.Logger = hclog.New(&hclog.LoggerOptions{Output: log})
	m, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	metrics := "http://" + m.MetricsAddr()
	for url, want := range map[string]int{
		m.URL() + "/jobs": 503, m.URL() + "/health/ready": 503, m.URL() + "/health/live": 200,
		metrics + "/health": 200, metrics + "/metrics": 503,
	} {
		if status, body := get(t, url); status != want || (body.Code == ffrtmp.Loading) != (want == 503) {
			t.Errorf("%s: got %d %+v, want %d, and the code loading with 503", url, status, body, want)
		}
	}
	testkit.Run(t, m.Run)
	for _, url := range []string{m.URL() + "/health/live", metrics + "/health"} {
		if status, body := get(t, url); status != 200 || body.NodeID != m.NodeID() {
			t.Errorf("%s: got %d %+v, want 200 and the id %s", url, status, body, m.NodeID())
		}
	}
	for _, phase := range []string{
		"loading the unfinished jobs", "checking the log", "checking the snapshots", "checking the state",
		"starting Raft", "ready to serve",
	} {
		if want := `starting: phase="` + phase + `"`; !strings.Contains(log.String(), want) {
			t.Errorf("got this log, want %s in it:\n%s", want, log)
		}
	}
}
