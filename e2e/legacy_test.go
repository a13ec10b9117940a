package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A recorded v2.2 agent exchange works against three masters while the leader is killed.
func TestLegacy_RecordedExchange(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.wire()
	turn := 0
	call := func(method, path, body string) reply {
		t.Helper()
		for {
			turn++
			if m := s.Master(turn % 3); m.Running() {
				return w.call(t, method, m.URL()+path, body)
			}
		}
	}
	const register = `{"address":"enc-01","type":"server","cpu_threads":32,"cpu_model":"EPYC","has_gpu":false,` +
		`"ram_total_bytes":68719476736,"labels":{"os":"linux"}}`
	const submit = `{"scenario":"4K60-h264","parameters":{"duration":5,"bitrate":"10M"}}`

	node := fieldsOf(t, call("POST", "/nodes/register", register).want(t, 201))
	hasFields(t, node, map[string]any{
		"name": "enc-01", "address": "enc-01", "type": "server", "cpu_threads": 32.0, "cpu_model": "EPYC",
		"has_gpu": false, "ram_total_bytes": 68719476736.0, "status": "available",
	})
	nodeID := as[string](t, node["id"])
	beat := func() { t.Helper(); call("POST", "/nodes/"+nodeID+"/heartbeat", "").want(t, 200) }
	next := func() map[string]any {
		t.Helper()
		return fieldsOf(t, call("GET", "/jobs/next?node_id="+nodeID, "").want(t, 200))
	}
	beat()

	created := fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))
	hasFields(t, created, map[string]any{
		"sequence_number": 1.0, "scenario": "4K60-h264", "confidence": "", "engine": "auto", "status": "pending",
		"queue": "default", "priority": "medium", "retry_count": 0.0,
	})
	if p := as[map[string]any](t, created["parameters"]); p["bitrate"] != "10M" || p["duration"] != 5.0 {
		t.Errorf("got parameters %v, want bitrate 10M and duration 5", p)
	}
	id := as[string](t, created["id"])
	claimed := as[map[string]any](t, next()["job"])
	hasFields(t, claimed, map[string]any{"id": id, "node_id": nodeID, "status": "running", "sequence_number": 1.0})
	if body := text(call("GET", "/jobs/next?node_id="+nodeID, "").want(t, 200)); body != `{"job":null}` {
		t.Errorf("got %s, want no job", body)
	}

	s.Master(s.leader()).Kill()
	beat()
	// A v2.2 node may hold several jobs.
	second := as[string](t, fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))["id"])
	if j := as[map[string]any](t, next()["job"]); j["id"] != second {
		t.Errorf("got next job %v, want %s", j["id"], second)
	}
	hasFields(t, fieldsOf(t, call("GET", "/api/v1/jobs/"+id, "").want(t, 200)), map[string]any{"status": "running"})
	result := `{"job_id":"` + id + `","node_id":"` + nodeID + `","status":"completed",` +
		`"metrics":{"fps":60},"analyzer_output":{},"logs":"frame=300","completed_at":"2026-01-05T10:00:00Z"}`
	for range 2 { // the answer may have been lost
		if body := text(call("POST", "/results", result).want(t, 200)); body != `{"status":"success"}` {
			t.Errorf("got %s, want success", body)
		}
	}
	for _, name := range []string{id, "1"} {
		hasFields(
			t,
			fieldsOf(t, call("GET", "/jobs/"+name, "").want(t, 200)),
			map[string]any{"id": id, "status": "completed", "progress": 100.0},
		)
	}
	hasFields(
		t,
		fieldsOf(t, call("GET", "/jobs/"+id+"/logs", "").want(t, 200)),
		map[string]any{"job_id": id, "logs": "frame=300"},
	)
	// An id is not a number: v2.2 took this one for job 96.
	call("GET", "/jobs/1d9361e3-3e52-4354-8096-73827c55a0a9", "").refused(t, 404, ffrtmp.NotFound)

	failed := `{"job_id":"` + second + `","node_id":"` + nodeID + `","status":"failed","error":"exit status 1"}`
	hasFields(
		t,
		fieldsOf(t, call("POST", "/results", failed).want(t, 200)),
		map[string]any{"status": "retrying", "retry": 1.0, "max_retries": 3.0},
	)
	hasFields(t, fieldsOf(t, call("GET", "/nodes", "").want(t, 200)), map[string]any{"count": 1.0})

	// A second registration means a restart: the node's jobs are requeued.
	third := as[string](t, fieldsOf(t, call("POST", "/jobs", submit).want(t, 201))["id"])
	if j := as[map[string]any](t, next()["job"]); j["id"] != third {
		t.Errorf("got next job %v, want %s", j["id"], third)
	}
	again := call("POST", "/nodes/register", register)
	if again.status != http.StatusOK && again.status != http.StatusCreated || fieldsOf(t, again)["id"] != nodeID {
		t.Errorf("second registration: got %d %s, want the same node", again.status, again.body)
	}
	hasFields(
		t,
		fieldsOf(t, call("GET", "/jobs/"+third, "").want(t, 200)),
		map[string]any{"status": "pending", "attempt": 1.0},
	)
	late := strings.ReplaceAll(result, id, third)
	call("POST", "/results", late).refused(t, 409, ffrtmp.StaleAttempt)
	call("POST", "/nodes/00000000-0000-4000-8000-000000000000/heartbeat", "").refused(t, 404, ffrtmp.NotFound)
}

// as returns v as a T.
func as[T any](t *testing.T, v any) T {
	t.Helper()
	typed, ok := v.(T)
	if !ok {
		t.Fatalf("got %T, want %T", v, typed)
	}
	return typed
}

// text returns the body without its final newline.
func text(r reply) string { return strings.TrimSpace(string(r.body)) }

func fieldsOf(t *testing.T, r reply) map[string]any {
	t.Helper()
	var fields map[string]any
	r.decode(t, &fields)
	if r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got Content-Type %q, want application/json", r.header.Get("Content-Type"))
	}
	return fields
}

func hasFields(t *testing.T, got, want map[string]any) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			all, _ := json.Marshal(got)
			t.Errorf("%s: got %v, want %v in %s", name, got[name], value, all)
		}
	}
}
