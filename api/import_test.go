package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

const (
	importedA = "99b02629-b351-4b9c-91f0-3e57978725ff"
	importedB = "3a6f6dcc-8d62-4af9-a524-0037c7e9576f"
	refused   = "8857c3db-0ffd-4846-a816-8d370a77c6dd"
	oldNode   = "c24161b8-833c-4fd1-add0-ecd232af3bcb"
)

// Attempts of an imported job are in order, and have ended.
func TestImport_EarlierAttempts(t *testing.T) {
	m := newMaster(t)
	attempt := func(n int, more string) string {
		return fmt.Sprintf(`{"attempt":%d,"node_id":"","outcome":"failed","started_at":"2026-11-22T07:03:34Z",`+
			`"ended_at":"2026-11-22T07:03:35Z"%s}`, n, more)
	}
	for earlier, field := range map[string]string{
		attempt(1, `,"metrics":[1]`):                                    "earlier_attempts[0].metrics",
		attempt(2, ""):                                                  "earlier_attempts[0].attempt",
		attempt(1, "") + "," + attempt(1, ""):                           "earlier_attempts[0].attempt",
		strings.Replace(attempt(1, ""), "failed", "running", 1):         "earlier_attempts[0].outcome",
		strings.Replace(attempt(1, ""), `"ended_at"`, `"ended"`, 1):     "earlier_attempts[0].ended_at",
		strings.Replace(attempt(1, ""), `node_id":"`, `node_id":"x`, 1): "earlier_attempts[0].node_id",
		attempt(1, ""): "",
	} {
		body := `{"jobs":[{"id":"` + importedA + `","scenario":"720p","status":"failed",
			"created_at":"2026-11-22T07:03:34Z",
			"completed_at":"2026-11-22T07:03:35Z","last_attempt":` + attempt(2, `,"metrics":{"vmaf_score":92.5}`) +
			`,"earlier_attempts":[` + earlier + `]}]}`
		var answer ffrtmp.ImportAnswer
		m.want(http.StatusOK, "POST", "/import?dry_run=true", body).decode(t, &answer)
		if r := answer.Jobs[0]; r.Field != field || (r.Error == "") != (field == "") {
			t.Errorf("%s: got %+v, want an error of field %q", earlier, r, field)
		}
		if field == "" {
			m.want(http.StatusOK, "POST", "/import", body)
		}
	}
	var j ffrtmp.Job
	m.want(http.StatusOK, "GET", "/jobs/"+importedA, "").decode(t, &j)
	if len(j.Attempts) != 2 || string(j.Attempts[1].Metrics) != `{"vmaf_score":92.5}` {
		t.Errorf("got attempts %+v, want two, the second with its metrics", j.Attempts)
	}
}

// Valid items are imported, invalid ones rejected one by one with their field.
func TestImport(t *testing.T) {
	m := newMaster(t)
	body := `{"nodes":[
		{"id":"` + oldNode + `","address":"enc-01","type":"server",
		 "registered_at":"2026-11-22T07:03:34Z","last_heartbeat":"2026-11-22T07:03:34Z"},
		{"id":"enc-02","address":"enc-02"}],
	"jobs":[
		{"id":"` + importedA + `","sequence_number":7,"scenario":"1080p30-h265","status":"pending",
		 "created_at":"2026-11-22T07:03:34.943161063Z"},
		{"id":"` + importedB + `","sequence_number":8,"scenario":"480p30-vp9","status":"completed",
		 "created_at":"2026-11-22T07:03:34Z","completed_at":"2026-11-22T07:03:35Z","progress":100,"logs":"frame=1",
		 "last_attempt":{"attempt":1,"node_id":"` + oldNode + `","outcome":"completed",
		  "started_at":"2026-11-22T07:03:34Z","ended_at":"2026-11-22T07:03:35Z"}},
		{"id":"` + refused + `","scenario":"8K","status":"pending","created_at":"2026-11-22T07:03:34Z"},
		{"id":"` + refused + `","scenario":"720p","status":"banana","created_at":"2026-11-22T07:03:34Z"},
		{"id":"14","scenario":"720p","status":"pending","created_at":"2026-11-22T07:03:34Z"},
		{"id":"` + refused + `","scenario":"720p","status":"running","created_at":"2026-11-22T07:03:34Z"},
		{"id":"` + refused + `","scenario":"720p","status":"failed","created_at":"2026-11-22T07:03:34Z"},
		{"id":"` + refused + `","scenario":"720p","status":"pending"},
		{"id":"` + refused + `","scenario":7}]}`
	send := func(query string, want ...ffrtmp.ImportOutcome) {
		t.Helper()
		var answer ffrtmp.ImportAnswer
		m.want(http.StatusOK, "POST", "/import"+query, body).decode(t, &answer)
		var fields []string
		for _, r := range append(answer.Nodes[1:], answer.Jobs[2:]...) {
			if r.Outcome != ffrtmp.ImportRefused || r.Error == "" {
				t.Errorf("got %+v, want a refusal with an error", r)
			}
			fields = append(fields, r.Field)
		}
		if got := strings.Join(fields, " "); got != "id scenario status id status completed_at created_at scenario" {
			t.Errorf("got fields %q, want those of the faults in order", got)
		}
		if got := []ffrtmp.ImportOutcome{
			answer.Nodes[0].Outcome,
			answer.Jobs[0].Outcome,
			answer.Jobs[1].Outcome,
		}; got[0] != want[0] || got[1] != want[1] ||
			got[2] != want[2] {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	send("?dry_run=true", ffrtmp.ImportTaken, ffrtmp.ImportTaken, ffrtmp.ImportTaken)
	m.want(http.StatusNotFound, "GET", "/jobs/"+importedA, "")
	send("", ffrtmp.ImportTaken, ffrtmp.ImportTaken, ffrtmp.ImportTaken)
	send("", ffrtmp.ImportExists, ffrtmp.ImportExists, ffrtmp.ImportExists)
	send("?dry_run=true", ffrtmp.ImportExists, ffrtmp.ImportExists, ffrtmp.ImportExists)

	if j := m.job("8"); j.ID != importedB || j.Status != ffrtmp.Completed || j.NodeName != "enc-01" ||
		j.Logs != "frame=1" {
		t.Errorf("got %+v, want the completed job of enc-01", j)
	}
	// The node's agent, which has not restarted, keeps its id.
	m.want(http.StatusOK, "POST", "/nodes/"+oldNode+"/heartbeat", "")
	var next struct{ Job *ffrtmp.Job }
	m.want(http.StatusOK, "GET", "/jobs/next?node_id="+oldNode, "").decode(t, &next)
	if next.Job == nil || next.Job.ID != importedA || next.Job.SequenceNumber != 7 {
		t.Errorf("got %+v, want job 7", next.Job)
	}
	many := `{"jobs":[` + strings.Repeat(`{},`, ffrtmp.MaxImport) + `{}]}`
	for body, field := range map[string]string{
		`{}`: "jobs", `{"jobs":[],"nodes":[]}`: "jobs", many: "jobs", `{"jobs":{}}`: "jobs",
	} {
		var p problem
		m.want(http.StatusBadRequest, "POST", "/import", body).decode(t, &p)
		if p.Field != field {
			t.Errorf("%.40s: got field %q, want %q: %s", body, p.Field, field, p.Error)
		}
	}
	m.want(http.StatusRequestEntityTooLarge, "POST", "/import",
		`{"jobs":["`+strings.Repeat("x", ffrtmp.MaxImportBytes)+`"]}`)
	m.want(http.StatusUnauthorized, "POST", "/import", body, "Authorization", "")
}
