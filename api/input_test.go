package api

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

// Invalid requests of every endpoint.
func TestBadInput(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	long := strings.Repeat("k", 256)
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		field                    string
	}{
		{name: "no JSON", method: "POST", path: "/jobs", body: `{"scenario":`, status: 400},
		{name: "no body", method: "POST", path: "/jobs", status: 400},
		{name: "an array", method: "POST", path: "/jobs", body: `[]`, status: 400},
		{name: "something after the object", method: "POST", path: "/jobs", body: `{"scenario":"720p"} x`, status: 400},
		{name: "two objects", method: "POST", path: "/jobs", body: `{"scenario":"720p"}{}`, status: 400},
		{name: "no scenario", method: "POST", path: "/jobs", body: `{}`, status: 400, field: "scenario"},
		{
			name: "unknown scenario", method: "POST", path: "/jobs",
			body: `{"scenario":"8K"}`, status: 400, field: "scenario",
		},
		{
			name: "scenario of a wrong type", method: "POST", path: "/jobs",
			body: `{"scenario":4}`, status: 400, field: "scenario",
		},
		{
			name: "unknown parameter", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","parameters":{"vf":"x"}}`, status: 400, field: "parameters.vf",
		},
		{
			name: "parameter of a wrong type", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","parameters":{"fps":"x"}}`, status: 400, field: "parameters.fps",
		},
		{
			name: "parameter out of range", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","parameters":{"duration":-1}}`, status: 400, field: "parameters.duration",
		},
		{
			name: "unknown queue", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","queue":"fast"}`, status: 400, field: "queue",
		},
		{
			name: "unknown priority", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","priority":"urgent"}`, status: 400, field: "priority",
		},
		{
			name: "unknown engine", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","engine":"gstreamer"}`, status: 400, field: "engine",
		},
		{
			name: "max_retries out of range", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","max_retries":-1}`, status: 400, field: "max_retries",
		},
		{
			name: "max_retries of a wrong type", method: "POST", path: "/jobs",
			body: `{"scenario":"720p","max_retries":1.5}`, status: 400, field: "max_retries",
		},
		{
			name: "long idempotency key", method: "POST", path: "/jobs",
			body: `{"scenario":"720p"}`, header: []string{"Idempotency-Key", long},
			status: 400, field: "Idempotency-Key",
		},
		{
			name: "unprintable idempotency key", method: "POST", path: "/jobs",
			body: `{"scenario":"720p"}`, header: []string{"Idempotency-Key", "k\u00e9y"},
			status: 400, field: "Idempotency-Key",
		},

		{name: "empty batch", method: "POST", path: "/jobs/batch", body: `{"jobs":[]}`, status: 400, field: "jobs"},
		{
			name: "batch of a wrong type", method: "POST", path: "/jobs/batch",
			body: `{"jobs":{}}`, status: 400, field: "jobs",
		},
		{
			name: "batch that is too long", method: "POST", path: "/jobs/batch",
			body: `{"jobs":[` + strings.Repeat(`{},`, 10000) + `{}]}`, status: 400, field: "jobs",
		},
		{
			name: "one bad job of a batch", method: "POST", path: "/jobs/batch",
			body:   `{"jobs":[{"scenario":"720p"},{"scenario":"720p","parameters":{"codec":"mpeg2"}}]}`,
			status: 400, field: "jobs[1].parameters.codec",
		},
		{
			name: "one job of a wrong type", method: "POST", path: "/jobs/batch",
			body: `{"jobs":[{"scenario":true}]}`, status: 400, field: "jobs[0].scenario",
		},

		{name: "unknown status", method: "GET", path: "/jobs?status=processing", status: 400, field: "status"},
		{name: "unknown queue in a list", method: "GET", path: "/jobs?queue=x", status: 400, field: "queue"},
		{name: "unknown priority in a list", method: "GET", path: "/jobs?priority=x", status: 400, field: "priority"},
		{name: "limit 0", method: "GET", path: "/jobs?limit=0", status: 400, field: "limit"},
		{name: "limit too high", method: "GET", path: "/jobs?limit=10001", status: 400, field: "limit"},
		{name: "limit of a wrong type", method: "GET", path: "/jobs?limit=ten", status: 400, field: "limit"},
		{name: "foreign cursor", method: "GET", path: "/jobs?cursor=x", status: 400, field: "cursor"},
		{
			name: "unknown status among others", method: "GET", path: "/jobs?status=failed,done",
			status: 400, field: "status",
		},
		{name: "unknown sort", method: "GET", path: "/jobs?sort=name", status: 400, field: "sort"},
		{name: "no time", method: "GET", path: "/jobs?created_after=soon", status: 400, field: "created_after"},
		{
			name: "times in the wrong order", method: "GET", status: 400, field: "created_before",
			path: "/jobs?created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z",
		},
		{
			name: "text that is too long", method: "GET", path: "/jobs?q=" + strings.Repeat("x", 257),
			status: 400, field: "q",
		},
		{
			name: "bulk cancel with a malformed time", method: "POST", path: "/jobs/cancel",
			body: `{"filter":{"created_before":"soon"}}`, status: 400, field: "filter.created_before",
		},
		{name: "unknown order", method: "GET", path: "/jobs?order=up", status: 400, field: "order"},
		{name: "consistent and stale", method: "GET", path: "/jobs?consistent&stale", status: 400, field: "consistent"},
		{name: "stale of a wrong type", method: "GET", path: "/jobs?stale=maybe", status: 400, field: "stale"},
		{name: "max_stale without stale", method: "GET", path: "/jobs?max_stale=5s", status: 400, field: "max_stale"},
		{
			name: "max_stale of a wrong type", method: "GET", path: "/jobs?stale&max_stale=soon",
			status: 400, field: "max_stale",
		},
		{name: "negative index", method: "GET", path: "/jobs?index=-1", status: 400, field: "index"},
		{name: "wait without index", method: "GET", path: "/jobs?wait=5s", status: 400, field: "wait"},
		{name: "long wait", method: "GET", path: "/jobs?index=1&wait=2m", status: 400, field: "wait"},

		{name: "unknown number", method: "GET", path: "/jobs/99", status: 404},
		{name: "unknown id", method: "GET", path: "/jobs/01985f3a-0000-7000-8000-000000000000", status: 404},
		{
			name: "number in front of an id", method: "GET", path: "/jobs/1d9361e-3e52-4354-8096-73827c55a0a9",
			status: 404,
		},
		{name: "not an id", method: "GET", path: "/jobs/first", status: 404},
		{name: "number out of range", method: "GET", path: "/jobs/99999999999999999999", status: 404},
		{name: "negative number", method: "GET", path: "/jobs/-1", status: 404},
		{name: "signed number", method: "GET", path: "/jobs/+1", status: 404},
		{name: "padded number", method: "GET", path: "/jobs/01", status: 404},
		{name: "cancel an unknown job", method: "POST", path: "/jobs/99/cancel", status: 404},
		{name: "resume a pending job", method: "POST", path: "/jobs/1/resume", status: 409},
		{name: "retry a pending job", method: "POST", path: "/jobs/1/retry", status: 409},
		{name: "cancel with an invalid body", method: "POST", path: "/jobs/1/cancel", body: "now", status: 400},
		{name: "unknown action", method: "POST", path: "/jobs/1/explode", status: 404},
		{
			name: "bulk cancel without a filter", method: "POST", path: "/jobs/cancel",
			body: `{}`, status: 400, field: "filter",
		},
		{
			name: "bulk cancel of everything", method: "POST", path: "/jobs/cancel",
			body: `{"filter":{"status":""}}`, status: 400, field: "filter",
		},
		{
			name: "bulk retry with a mistyped query", method: "POST", path: "/jobs/retry?dryrun=true",
			body: `{"filter":{"status":"failed"}}`, status: 400, field: "dryrun",
		},
		{
			name: "bulk retry with a wrong dry_run", method: "POST", path: "/jobs/retry?dry_run=maybe",
			body: `{"filter":{"status":"failed"}}`, status: 400, field: "dry_run",
		},
		{
			name: "bulk priority without a priority", method: "POST", path: "/jobs/priority",
			body: `{"filter":{"queue":"batch"}}`, status: 400, field: "priority",
		},
		{
			name: "bulk priority without a filter", method: "POST", path: "/jobs/priority",
			body: `{"priority":"high"}`, status: 400, field: "filter",
		},
		{
			name: "bulk cancel with a mistyped field", method: "POST", path: "/jobs/cancel",
			body: `{"filter":{"statsu":"pending"}}`, status: 400, field: "filter.statsu",
		},
		{
			name: "bulk cancel with an unknown status", method: "POST", path: "/jobs/cancel",
			body: `{"filter":{"status":"x"}}`, status: 400, field: "filter.status",
		},
		{
			name: "bulk cancel with a wrong type", method: "POST", path: "/jobs/cancel",
			body: `{"filter":{"queue":1}}`, status: 400, field: "filter.queue",
		},
		{
			name: "patch to an unknown queue", method: "PATCH", path: "/jobs/1",
			body: `{"queue":"x"}`, status: 400, field: "queue",
		},
		{
			name: "patch with a wrong type", method: "PATCH", path: "/jobs/1",
			body: `{"max_retries":"3"}`, status: 400, field: "max_retries",
		},
		{name: "patch without a body", method: "PATCH", path: "/jobs/1", status: 400},
		{name: "patch of an unknown job", method: "PATCH", path: "/jobs/99", body: `{}`, status: 404},
		{name: "log of no attempt", method: "GET", path: "/jobs/1/logs?attempt=0", status: 400, field: "attempt"},
		{name: "log of an unknown attempt", method: "GET", path: "/jobs/1/logs?attempt=7", status: 404},
		{name: "follow of a wrong type", method: "GET", path: "/jobs/1/logs?follow=2", status: 400, field: "follow"},
		{name: "follow a stale state", method: "GET", path: "/jobs/1/logs?follow&stale", status: 400, field: "follow"},
		{name: "explain an unknown job", method: "GET", path: "/jobs/99/explain", status: 404},

		{
			name: "claim without a node", method: "POST", path: "/jobs/claim",
			body: `{"max":1}`, status: 400, field: "node_id",
		},
		{
			name: "claim by an unknown node", method: "POST", path: "/jobs/claim",
			body: `{"node_id":"` + nodeB + `"}`, status: 404,
		},
		{
			name: "claim too much", method: "POST", path: "/jobs/claim",
			body: `{"node_id":"` + nodeA + `","max":1025}`, status: 400, field: "max",
		},
		{
			name: "claim less than nothing", method: "POST", path: "/jobs/claim",
			body: `{"node_id":"` + nodeA + `","max":-1}`, status: 400, field: "max",
		},
		{
			name: "claim with a long wait", method: "POST", path: "/jobs/claim",
			body: `{"node_id":"` + nodeA + `","wait":"61s"}`, status: 400, field: "wait",
		},
		{
			name: "claim with a malformed wait", method: "POST", path: "/jobs/claim",
			body: `{"node_id":"` + nodeA + `","wait":"soon"}`, status: 400, field: "wait",
		},
		{
			name: "claim with a wrong type", method: "POST", path: "/jobs/claim",
			body: `{"node_id":7}`, status: 400, field: "node_id",
		},
		{name: "next without a node", method: "GET", path: "/jobs/next", status: 400, field: "node_id"},
		{name: "next of an unknown node", method: "GET", path: "/jobs/next?node_id=x", status: 404},

		{
			name: "result without a job", method: "POST", path: "/results",
			body: `{"node_id":"x","status":"completed"}`, status: 400, field: "job_id",
		},
		{
			name: "result without a node", method: "POST", path: "/results",
			body: `{"job_id":"x","status":"completed"}`, status: 400, field: "node_id",
		},
		{
			name: "result with an unknown status", method: "POST", path: "/results",
			body: `{"job_id":"x","node_id":"y","status":"done"}`, status: 400, field: "status",
		},
		{
			name: "result of an unknown job", method: "POST", path: "/results",
			body: `{"job_id":"99","node_id":"y","status":"completed"}`, status: 404,
		},
		{
			name: "result of a job that the node does not hold", method: "POST", path: "/results",
			body: `{"job_id":"1","node_id":"` + nodeA + `","status":"completed"}`, status: 409,
		},
		{
			name: "result with metrics of a wrong type", method: "POST", path: "/results",
			body: `{"job_id":"1","node_id":"y","status":"completed","metrics":[1]}`, status: 400, field: "metrics",
		},
		{
			name: "result with analyzer output of a wrong type", method: "POST", path: "/results",
			body:   `{"job_id":"1","node_id":"y","status":"completed","analyzer_output":"x"}`,
			status: 400, field: "analyzer_output",
		},
		{
			name: "result with a malformed time", method: "POST", path: "/results",
			body:   `{"job_id":"1","node_id":"y","status":"completed","completed_at":"yesterday"}`,
			status: 400, field: "completed_at",
		},
		{
			name: "result with a time of a wrong type", method: "POST", path: "/results",
			body:   `{"job_id":"1","node_id":"y","status":"completed","completed_at":7}`,
			status: 400, field: "completed_at",
		},
		{
			name: "result with impossible progress", method: "POST", path: "/results",
			body: `{"job_id":"1","node_id":"y","status":"completed","progress":100.5}`, status: 400, field: "progress",
		},
		{
			name: "result with progress of a wrong type", method: "POST", path: "/results",
			body: `{"job_id":"1","node_id":"y","status":"completed","progress":"all"}`, status: 400, field: "progress",
		},
		{
			name: "result with a malformed reason", method: "POST", path: "/results",
			body:   `{"job_id":"1","node_id":"y","status":"failed","failure_reason":"It broke"}`,
			status: 400, field: "failure_reason",
		},
		{
			name: "result with a wrong type", method: "POST", path: "/results",
			body: `{"job_id":7}`, status: 400, field: "job_id",
		},

		{
			name: "register without an address", method: "POST", path: "/nodes/register",
			body: `{}`, status: 400, field: "address",
		},
		{
			name: "register with a malformed id", method: "POST", path: "/nodes/register",
			body: `{"node_id":"a","address":"x"}`, status: 400, field: "node_id",
		},
		{
			name: "register with a wrong type", method: "POST", path: "/nodes/register",
			body: `{"address":"x","cpu_threads":"8"}`, status: 400, field: "cpu_threads",
		},
		{
			name: "register with too many slots", method: "POST", path: "/nodes/register",
			body: `{"address":"x","max_concurrent_jobs":9999}`, status: 400, field: "max_concurrent_jobs",
		},
		{name: "heartbeat of an unknown node", method: "POST", path: "/nodes/x/heartbeat", status: 404},
		{
			name: "heartbeat with invalid JSON", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body: "alive", status: 400,
		},
		{
			name: "heartbeat with a wrong type", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body: `{"attempts":{}}`, status: 400, field: "attempts",
		},
		{
			name: "heartbeat without an attempt's number", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body: `{"attempts":[{"job_id":"x"}]}`, status: 400, field: "attempts[0].attempt",
		},
		{
			name: "heartbeat with impossible progress", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body:   `{"attempts":[{"job_id":"x","attempt":1,"progress":101}]}`,
			status: 400, field: "attempts[0].progress",
		},
		{
			name: "heartbeat with progress of a wrong type", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body:   `{"attempts":[{"job_id":"x","attempt":1},{"progress":"half"}]}`,
			status: 400, field: "attempts[1].progress",
		},
		{
			name: "heartbeat with an attempt of a wrong type", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body: `{"attempts":[{},7]}`, status: 400, field: "attempts[1]",
		},
		{
			name: "heartbeat with a long wait", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body: `{"wait":3600}`, status: 400, field: "wait",
		},
		{name: "unknown node", method: "GET", path: "/nodes/x", status: 404},
		{name: "remove an unknown node", method: "DELETE", path: "/nodes/x", status: 404},
		{
			name: "force of a wrong type", method: "DELETE", path: "/nodes/" + nodeA + "?force=maybe",
			status: 400, field: "force",
		},
		{
			name: "deadline of a drain", method: "POST", path: "/nodes/" + nodeA + "/drain",
			body: `{"deadline":"soon"}`, status: 400, field: "deadline",
		},
		{
			name: "past deadline of a drain", method: "POST", path: "/nodes/" + nodeA + "/drain",
			body: `{"deadline":"-1s"}`, status: 400, field: "deadline",
		},
		{
			name: "wrong type of a deadline", method: "POST", path: "/nodes/" + nodeA + "/drain",
			body: `{"deadline":10}`, status: 400, field: "deadline",
		},
		{name: "drain an unknown node", method: "POST", path: "/nodes/x/drain", status: 404},
		{name: "cordon an unknown node", method: "POST", path: "/nodes/x/cordon", status: 404},
		{name: "uncordon an unknown node", method: "POST", path: "/nodes/x/uncordon", status: 404},
		{name: "transfer without a successor", method: "POST", path: "/cluster/leader/transfer", status: 409},

		{name: "unknown path", method: "GET", path: "/nothing", status: 404},
		{name: "the root", method: "GET", path: "/", status: 404},
		{name: "wrong method", method: "PUT", path: "/jobs", body: `{}`, status: 405},
		{name: "wrong method on a job", method: "DELETE", path: "/jobs/1", status: 405},
		{name: "reading an action", method: "GET", path: "/jobs/1/cancel", status: 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := m.request(c.method, c.path, c.body, c.header...)
			var p problem
			r.decode(t, &p)
			if r.StatusCode != c.status || p.Status != c.status || p.Field != c.field || p.Error == "" || p.Code == "" {
				t.Errorf("got %d, field %q, want %d, %q: %s", r.StatusCode, p.Field, c.status, c.field, r.body)
			}
			if got := r.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("got Content-Type %q, want application/json", got)
			}
			if allow := r.Header.Get("Allow"); (allow != "") != (c.status == 405) {
				t.Errorf("got Allow %q with %d, want it with 405 only", allow, c.status)
			}
		})
	}
	if j := m.job("1"); j.Status != "pending" {
		t.Errorf("got job %s, want pending", j.Status)
	}
	if r := m.want(200, "GET", "/jobs", ""); !strings.Contains(string(r.body), `"count":1`) {
		t.Errorf("got %s, want one job", r.body)
	}
}

// An error does not repeat a long input.
func TestError_Shortened(t *testing.T) {
	m := newMaster(t)
	long := strings.Repeat("\u00e9", 3<<19)
	for path, body := range map[string]string{
		"/jobs":        `{"scenario":"` + long + `"}`,
		"/jobs/cancel": `{"filter":{"` + long + `":1}}`,
	} {
		r := m.want(400, "POST", path, body)
		var p problem
		r.decode(t, &p)
		if len(p.Error) > maxMessage || len(p.Field) > maxMessage || !utf8.ValidString(p.Error) ||
			!strings.Contains(p.Error, "\u00e9…") {
			t.Errorf("POST %s: got an error of %d bytes, a field of %d, want at most %d: %s", path, len(p.Error),
				len(p.Field), maxMessage, p.Error)
		}
	}
}

// An empty patch changes nothing.
func TestPatchJob_Empty(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p","labels":{"a":"b"}}`)
	m.want(200, "PATCH", "/jobs/1", `{}`)
	m.want(200, "PATCH", "/jobs/1", `{"priority":"high","unknown":1}`)
	if j := m.job("1"); j.Priority != "high" || j.Labels["a"] != "b" {
		t.Errorf("got %+v, want priority high and label a=b", j)
	}
}

// Every endpoint except health and openapi.yaml needs a key.
func TestAuth_Required(t *testing.T) {
	m := newMaster(t)
	for _, e := range append(m.api.endpoints(), endpoint{pattern: "GET /nothing"}) {
		method, path, _ := strings.Cut(e.pattern, " ")
		for _, header := range []string{
			"", "Basic " + testKey, "Bearer", "Bearer wrong", "Bearer " + testKey + "x", testKey,
		} {
			r := m.request(method, path, "", "Authorization", header)
			if e.open {
				if r.StatusCode != http.StatusOK {
					t.Errorf("%s: got %d, want 200", e.pattern, r.StatusCode)
				}
				continue
			}
			var p problem
			r.decode(t, &p)
			if r.StatusCode != 401 || p.Code != "unauthenticated" || r.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: got %d %s, want 401 unauthenticated", e.pattern, header, r.StatusCode, r.body)
			}
		}
	}
	if strings.Contains(m.logs.String(), testKey) {
		t.Error("got the API key in the log, want none")
	}
}

// A body over the limit is refused.
func TestBody_Bounded(t *testing.T) {
	m := newMaster(t)
	body := `{"scenario":"720p","classification":"` + strings.Repeat("x", maxBody) + `"}`
	r := m.want(413, "POST", "/jobs", body)
	if !strings.Contains(string(r.body), "8388608 bytes") || !strings.Contains(string(r.body), `"too_large"`) {
		t.Errorf("got %s, want too_large with the limit", r.body)
	}
	// A client that writes all of its body before it reads gets the answer, too.
	conn, err := tls.Dial("tcp", m.server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 20 << 20
	fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
		testKey, size)
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatalf("got %v while writing the body, want no error", err)
	}
	late, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Body.Close()
	if late.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want 413", late.StatusCode)
	}
	if maxBatchBody != 64<<20 {
		t.Errorf("got maxBatchBody %d, want %d", maxBatchBody, 64<<20)
	}
	// A batch may be longer; this one is refused for its content.
	m.want(400, "POST", "/jobs/batch", `{"jobs":[{"scenario":"`+strings.Repeat("x", maxBody)+`"}]}`)
}
