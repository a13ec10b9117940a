package api

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Every operation is reached with every status that it documents. The harness checks each request
// and answer against the document.
func TestOpenAPI_Traffic(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.want(200, "POST", "/nodes/register",
		`{"node_id":"`+nodeA+`","address":"a","max_concurrent_jobs":8,"encoders":["libx264"]}`)
	var old ffrtmp.Registered
	m.want(201, "POST", "/nodes/register", `{"address":"old","labels":{"os":"linux"},"ram_total_bytes":1}`).
		decode(t, &old)
	m.want(409, "POST", "/nodes/register", `{"address":"other"}`, "Idempotency-Key",
		m.spend("register", "/nodes/register", `{"address":"x"}`))
	heartbeat, claim := "/nodes/"+nodeA+"/heartbeat", `{"node_id":"`+nodeA+`","max":8,"wait":0.1}`

	full := `{"scenario":"live-4k60-H265","confidence":"auto","engine":"ffmpeg","classification":"x",
		"queue":"live","priority":"high","max_retries":0,"labels":{"a":"b"},"requires":{"labels":{}},
		"parameters":{"codec":"h264","duration":1,"resource_limits":{"timeout_sec":60}}}`
	m.want(201, "POST", "/jobs", full, "Idempotency-Key", "full")
	m.want(200, "POST", "/jobs", full, "Idempotency-Key", "full")
	m.want(409, "POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "full")
	m.want(200, "POST", "/jobs?dry_run=true&node="+nodeA, full)
	m.want(200, "GET", "/jobs?total", "")
	m.want(201, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"480p"},{"scenario":"360p"}]}`,
		"Idempotency-Key", "batch")
	m.want(200, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"480p"},{"scenario":"360p"}]}`,
		"Idempotency-Key", "batch")
	m.want(409, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"}]}`, "Idempotency-Key", "batch")
	m.want(200, "GET", "/jobs/1/explain", "")
	m.want(200, "GET", "/jobs/1/media", "")
	m.want(400, "GET", "/jobs/1/media?attempt=x", "")
	m.want(404, "GET", "/jobs/99/media", "")

	var claimed ffrtmp.ClaimResponse
	m.want(200, "POST", "/jobs/claim", claim).decode(t, &claimed)
	first := claimed.Jobs[0]
	m.want(200, "POST", heartbeat, fmt.Sprintf(`{"wait":"10ms","attempts":[{"job_id":%q,"attempt":1,"lease":%q,
		"progress":12.5,"progress_detail":{"phase":"encoding","frame":1,"fps":1.5},
		"log_tail":"one\n","log_offset":0}]}`, first.ID, first.Lease))
	m.want(200, "GET", "/jobs/1", "")
	m.want(200, "GET", "/jobs/progress?since=2026-01-02T03:04:05Z", "")
	m.want(400, "GET", "/jobs/progress?since=x", "")
	m.want(200, "POST", "/jobs/1/pause", "")
	m.want(200, "POST", heartbeat, `{}`)
	m.want(200, "POST", "/jobs/1/resume", `{}`)
	m.want(409, "POST", "/jobs/1/resume", "")
	m.want(409, "DELETE", "/nodes/"+nodeA, "")
	m.want(200, "POST", "/results", result(first, "failed", `,"error":"broken","failure_reason":"user_error",
		"logs":"one\ntwo\n","metrics":{"fps":1},"completed_at":"2026-01-02T03:04:05Z"`))
	m.want(200, "POST", "/results", result(claimed.Jobs[1], "publishing", ""))
	m.want(200, "POST", "/results", result(claimed.Jobs[1], "completed",
		`,"output":{"path":"x.mp4","size_bytes":1,"sha256":"`+strings.Repeat("0a", 32)+`"}`))
	m.want(200, "POST", "/results", result(claimed.Jobs[2], "failed", `,"error":"broken"`))
	m.want(409, "POST", "/results", result(first, "completed", ""))
	m.want(404, "POST", "/results", `{"job_id":"99","node_id":"x","status":"failed"}`)
	m.want(409, "PATCH", "/jobs/1", `{"queue":"batch"}`)
	m.want(409, "POST", "/jobs/1/pause", "")
	m.want(200, "POST", "/jobs/1/retry", "")
	m.want(409, "POST", "/jobs/1/retry", "")
	m.want(200, "PATCH", "/jobs/1", `{"queue":"batch","priority":"low","labels":{},"max_retries":1}`)
	m.want(409, "POST", "/jobs/2/cancel", "")
	m.want(200, "POST", "/jobs/1/cancel", "")
	m.want(200, "POST", "/jobs/cancel", `{"filter":{"status":"pending","queue":"default"}}`, "Idempotency-Key", "many")
	m.want(409, "POST", "/jobs/cancel", `{"filter":{"status":"paused"}}`, "Idempotency-Key", "many")
	for _, action := range []string{"pause", "resume", "retry", "priority"} {
		body := `{"priority":"high","filter":{"queue":"live"}}`
		m.want(200, "POST", "/jobs/"+action+"?dry_run", body)
		m.want(200, "POST", "/jobs/"+action, body)
		m.want(409, "POST", "/jobs/"+action, body, "Idempotency-Key", "many")
		m.want(400, "POST", "/jobs/"+action, "[]")
	}
	for _, ref := range []string{"1", "2", "3"} {
		m.want(200, "GET", "/jobs/"+ref, "")
		m.want(200, "GET", "/jobs/"+ref+"/explain", "")
		m.want(200, "GET", "/jobs/"+ref+"/logs", "")
	}
	m.want(200, "GET", "/jobs/1/logs?follow&attempt=1&offset=0", "")
	m.want(200, "GET", "/api/v1/jobs/1?consistent", "")
	m.want(200, "GET", "/jobs?status=canceled&queue=default&priority=medium&label=a&order=asc&limit=1"+
		"&stale&max_stale=5s&index=1&wait=0m1.5s", "")
	m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/next?node_id="+old.ID, "")
	m.want(200, "GET", "/jobs/next?node_id="+old.ID, "")
	m.want(200, "POST", "/nodes/"+old.ID+"/heartbeat", "")
	m.want(200, "GET", "/nodes", "")
	m.want(200, "GET", "/nodes/"+old.ID+"?stale=true", "")
	for _, verb := range []string{"drain", "cordon", "uncordon"} {
		path := "/nodes/" + nodeA + "/" + verb
		m.want(200, "POST", path, "", "Idempotency-Key", verb)
		m.want(404, "POST", "/nodes/x/"+verb, "")
		m.want(409, "POST", "/nodes/"+old.ID+"/"+verb, "", "Idempotency-Key", verb)
		m.want(400, "POST", path, "[]")
	}
	m.want(200, "DELETE", "/nodes/"+old.ID+"?force", "")
	m.want(404, "DELETE", "/nodes/"+old.ID, "")
	m.want(400, "DELETE", "/nodes/"+nodeA+"?force=maybe", "")

	m.stream("?since=1.0&type=job.submitted,node.registered&job_id=1").next()
	m.want(400, "GET", "/events?since=x", "")
	proposer := fsm.NewProposer(m.log, fsm.ProposerOptions{})
	if _, _, err := proposer.Prune(t.Context(), fsm.PruneRequest{Events: time.Now()}); err != nil {
		t.Fatal(err)
	}
	m.want(410, "GET", "/events?since=1.0", "")
	m.want(200, "POST", "/query", `{"sql":"SELECT *, NULL, 1.5 FROM jobs"}`)
	m.want(400, "POST", "/query", `{"sql":"SELECT"}`)

	imported := `{"jobs":[{"id":"01985f3a-0000-7000-8000-00000000000a","scenario":"720p","status":"pending",
		"created_at":"2026-01-02T03:04:05Z","sequence_number":900}]}`
	m.want(200, "POST", "/import?dry_run", imported)
	m.want(200, "POST", "/import", imported, "Idempotency-Key", "import")
	m.want(409, "POST", "/import", `{"nodes":[{"id":"01985f3a-0000-7000-8000-00000000000b","address":"b",
		"registered_at":"2026-01-02T03:04:05Z","last_heartbeat":"2026-01-02T03:04:05Z"}]}`, "Idempotency-Key", "import")
	m.want(400, "POST", "/import", `{}`)

	ci := `{"name":"ci","scopes":["read","agent"],"expires_in":"24h","rate_limit":100}`
	var key ffrtmp.CreatedKey
	m.want(201, "POST", "/keys", ci, "Idempotency-Key", "ci").decode(t, &key)
	m.want(200, "POST", "/keys", ci, "Idempotency-Key", "ci")
	m.want(409, "POST", "/keys", `{"name":"ci","scopes":["read"]}`, "Idempotency-Key", "ci")
	m.want(400, "POST", "/keys", `{}`)
	m.want(200, "GET", "/keys", "")
	m.want(200, "GET", "/keys/"+key.ID, "")
	m.want(400, "DELETE", "/keys/"+key.ID, "[]")
	m.want(200, "DELETE", "/keys/"+key.ID, "")
	m.want(404, "DELETE", "/keys/x", "")
	m.sessionTraffic()
	m.want(200, "GET", "/audit?limit=1&since=2026-01-02T03:04:05Z", "")
	m.want(200, "GET", "/audit", "")

	m.outputTraffic()
	m.want(200, "GET", "/cluster", "")
	saved := m.want(200, "GET", "/cluster/snapshot", "")
	m.want(400, "POST", "/cluster/restore", "hello")
	m.want(409, "POST", "/cluster/restore", string(saved.body), "Idempotency-Key", "ci")
	m.want(200, "POST", "/cluster/restore", string(saved.body))
	m.want(409, "POST", "/cluster/leader/transfer", "")
	m.want(400, "POST", "/cluster/leader/transfer", "[]")
	m.cluster.others = []cluster.Member{
		{ID: "id-of-m2", Name: "m2", Role: "follower", State: "follower", Voter: true, LastContact: -1},
	}
	m.want(200, "POST", "/cluster/leader/transfer", "")
	m.want(200, "POST", "/cluster/leader/transfer", `{"member":"m2"}`)
	m.cluster.transferErr = &cluster.NoMemberError{Ref: "x", Names: []string{"m1"}}
	m.want(404, "POST", "/cluster/leader/transfer", `{"member":"x"}`)
	m.memberTraffic("DELETE", "/cluster/members/m2")
	m.memberTraffic("POST", "/cluster/members/m2/promote")
	m.memberTraffic("POST", "/cluster/members/m2/demote")
	m.want(200, "GET", "/cluster/autopilot", "")
	m.want(400, "GET", "/cluster/autopilot?index=x", "")
	m.want(200, "PUT", "/cluster/autopilot", `{"min_quorum":3,"server_stabilization_time":"10s"}`)
	m.want(400, "PUT", "/cluster/autopilot", `{}`)
	m.gossipTraffic()
	m.want(200, "GET", "/catalogue", "")
	m.want(200, "GET", "/debug/pprof/heap", "")
	m.want(400, "GET", "/debug/pprof/heap?debug=x", "")
	m.want(404, "GET", "/debug/pprof/unknown", "")
	m.api.recording.Store(true)
	m.want(409, "GET", "/debug/pprof/trace", "")
	m.api.recording.Store(false)
	m.want(200, "GET", "/stats?window=24h", "")
	m.want(400, "GET", "/stats?window=1s", "")
	m.want(200, "GET", "/openapi.yaml", "")
	for _, path := range []string{"/openapi.yaml", "/health", "/health/live", "/health/ready", "/catalogue"} {
		m.want(400, "GET", path+"?%zz", "")
	}
	for _, path := range []string{
		"/jobs/x", "/api/v1/jobs/x", "/jobs/x/logs", "/jobs/x/explain", "/nodes/x", "/keys/x", "/jobs/next?node_id=x",
	} {
		m.want(404, "GET", path, "")
	}
	for _, path := range []string{
		"/jobs", "/jobs/1", "/api/v1/jobs/1", "/jobs/1/logs", "/jobs/1/explain", "/nodes", "/nodes/" + nodeA,
		"/cluster", "/cluster/snapshot", "/keys", "/keys/" + key.ID, "/audit",
	} {
		m.want(400, "GET", path+"?index=x", "")
	}
	m.want(400, "GET", "/jobs/next", "")
	for _, path := range []string{
		"/jobs", "/jobs/batch", "/jobs/cancel", "/jobs/claim", "/results", "/nodes/register", heartbeat,
	} {
		m.want(400, "POST", path, "[]")
	}
	m.want(404, "POST", "/jobs/claim", `{"node_id":"x"}`)
	m.want(404, "POST", "/nodes/x/heartbeat", "")
	m.want(400, "PATCH", "/jobs/1", "[]")
	m.want(404, "PATCH", "/jobs/x", "{}")
	for _, action := range []string{"cancel", "pause", "resume", "retry"} {
		m.want(400, "POST", "/jobs/1/"+action, "[]")
		m.want(404, "POST", "/jobs/x/"+action, "")
	}
	m.want(401, "GET", "/jobs", "", "Authorization", "Bearer wrong")
	m.want(200, "GET", "/health", "")
	m.want(200, "GET", "/health/live", "")
	m.want(200, "GET", "/health/ready", "")
	m.want(200, "GET", "/health/leader", "")
	m.cluster.readyErr = fmt.Errorf("the disk is full")
	m.want(503, "GET", "/health/ready", "")
	m.cluster.setLeader(&cluster.Leader{ID: "m2", APIURL: "https://m2:8080"})
	m.want(429, "GET", "/health/leader", "")
	m.cluster.setLeader(nil)
	m.want(503, "GET", "/health/leader", "")

	for pattern, operation := range operations(m.conformance.doc) {
		for status := range operation.Responses.Map() {
			if status != "default" && !m.conformance.saw(pattern, status) {
				t.Errorf("%s: got no answer %s, want one", pattern, status)
			}
		}
	}
}

// sessionTraffic opens and ends a session, and makes each mistake once.
func (m *master) sessionTraffic() {
	m.t.Helper()
	m.want(201, "POST", "/session", "{}", "Idempotency-Key", "session")
	m.want(200, "POST", "/session", "{}", "Idempotency-Key", "session")
	m.want(409, "POST", "/session", `{"one_time":true}`, "Idempotency-Key", "session")
	m.want(400, "POST", "/session", "[]")
	m.want(200, "GET", "/session", "")
	m.want(400, "GET", "/session?index=x", "")
	_, own := m.openSession("")
	m.want(400, "DELETE", "/session", "[]", own...)
	m.want(200, "DELETE", "/session", "", own...)
	m.want(409, "DELETE", "/session", "")
}

// spend uses an idempotency key and returns it.
func (m *master) spend(key, path, body string) string {
	m.t.Helper()
	if r := m.request("POST", path, body, "Idempotency-Key", key); r.StatusCode >= 300 {
		m.t.Fatalf("POST %s: got %d %s, want success", path, r.StatusCode, r.body)
	}
	return key
}

// outputTraffic requests an output in every way.
func (m *master) outputTraffic() {
	m.t.Helper()
	s := siteOf(m)
	s.node = m.register(nodeB)
	path := s.complete(filepath.Join(s.root, "out", "film.mp4"), 10)
	m.want(200, "GET", path, "")
	m.want(206, "GET", path, "", "Range", "bytes=1-2")
	m.want(416, "GET", path, "", "Range", "bytes=20-")
	m.want(404, "GET", "/jobs/99/output", "")
	m.want(409, "GET", "/jobs/1/output", "")
}
