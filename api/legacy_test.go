package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The recorded requests of v2.2's agent and curl lines get the recorded answers: status, and every
// field with its value.
func TestV22_RecordedTraffic(t *testing.T) {
	m := newMaster(t)
	same := func(r response, status int, recorded string) {
		t.Helper()
		if r.StatusCode != status {
			t.Errorf("got %d, want %d as recorded: %s", r.StatusCode, status, r.body)
		}
		if got := r.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("got Content-Type %q, want application/json", got)
		}
		var got, want any
		r.decode(t, &got)
		if err := json.Unmarshal([]byte(recorded), &want); err != nil {
			t.Fatal(err)
		}
		contains(t, "", got, want)
	}

	same(m.request("GET", "/health", "", "Authorization", ""), 200, `{"status":"healthy"}`)
	if r := m.request("GET", "/jobs", "", "Authorization", ""); r.StatusCode != 401 ||
		!strings.Contains(string(r.body), "Missing Authorization header") {
		t.Errorf("got %d %s without a key, want 401", r.StatusCode, r.body)
	}
	const machine = `"address":"enc-01","type":"server","cpu_threads":32,"cpu_model":"EPYC","has_gpu":false,` +
		`"ram_total_bytes":68719476736,"labels":{"os":"linux"}`
	registration := `{` + machine + `}`
	recorded := `{"name":"enc-01",` + machine + `,"status":"available"}`
	r := m.request("POST", "/nodes/register", registration)
	same(r, 201, recorded)
	var node ffrtmp.Registered
	r.decode(t, &node)
	if node.LeaseTTLSeconds != 90 || len(node.Masters) != 1 || node.ClusterID == "" {
		t.Errorf("got %s, want a TTL of 90s, one master and a cluster id", r.body)
	}
	same(m.request("POST", "/nodes/register", registration), 200, `{"id":"`+node.ID+`"}`)
	if r := m.request("POST", "/nodes/"+node.ID+"/heartbeat", ""); r.StatusCode != 200 {
		t.Errorf("got %d %s from a heartbeat, want 200", r.StatusCode, r.body)
	}
	r = m.request("POST", "/jobs", `{"scenario":"4K60-h264","parameters":{"duration":5,"bitrate":"10M"}}`)
	same(r, 201, `{"sequence_number":1,"scenario":"4K60-h264","confidence":"","engine":"auto",
		"parameters":{"bitrate":"10M","duration":5},"status":"pending","queue":"default","priority":"medium",
		"retry_count":0}`)
	var j ffrtmp.Job
	r.decode(t, &j)
	next := "/jobs/next?node_id=" + node.ID
	same(m.request("GET", next, ""), 200, `{"job":{"id":"`+j.ID+`","sequence_number":1,"scenario":"4K60-h264",
		"parameters":{"bitrate":"10M","duration":5},"status":"running","queue":"default","priority":"medium",
		"node_id":"`+node.ID+`","retry_count":0}}`)
	same(m.request("GET", next, ""), 200, `{"job":null}`)
	same(m.request("GET", "/api/v1/jobs/"+j.ID, ""), 200, `{"id":"`+j.ID+`","status":"running"}`)
	done := `{"job_id":"` + j.ID + `","node_id":"` + node.ID +
		`","status":"completed","metrics":{"fps":60},"completed_at":"2026-01-05T10:00:00Z","unknown":1}`
	same(m.request("POST", "/results", done), 200, `{"status":"success"}`)
	same(m.request("POST", "/results", done), 200, `{"status":"success"}`)
	same(m.request("GET", "/jobs/"+j.ID, ""), 200, `{"status":"completed"}`)
	same(m.request("GET", "/nodes", ""), 200, `{"count":1,"nodes":[`+recorded+`]}`)
	same(m.request("GET", "/jobs/"+j.ID+"/logs", ""), 200, `{"job_id":"`+j.ID+`","logs":""}`)
	same(m.request("POST", "/jobs/"+j.ID+"/retry", ""), 409, `{"code":"conflict"}`)
}

// contains reports the parts of want that are not in got.
func contains(t *testing.T, path string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s: got %v, want an object", path, got)
		}
		for k, v := range want {
			if _, ok := object[k]; !ok {
				t.Errorf("got no %s.%s, want it as recorded", path, k)
				continue
			}
			contains(t, path+"."+k, object[k], v)
		}
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			t.Fatalf("%s: got %v, want %v", path, got, want)
		}
		for i := range want {
			contains(t, path+"[]", list[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s: got %v, want %v", path, got, want)
		}
	}
}

// A v2.2 agent reports a failure, and a result for a job that it no longer holds.
func TestV22_StaleResult(t *testing.T) {
	m := newMaster(t)
	var node ffrtmp.Registered
	m.want(201, "POST", "/nodes/register", `{"address":"enc-01"}`).decode(t, &node)
	j := m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/next?node_id="+node.ID, "")
	failed := `{"job_id":"` + j.ID + `","node_id":"` + node.ID + `","status":"failed","error":"broken"}`
	if r := m.want(200, "POST", "/results", failed); string(
		r.body) != `{"status":"retrying","retry":1,"max_retries":3}`+"\n" {
		t.Errorf("got %s, want retry 1 of 3", r.body)
	}
	m.register(nodeA)
	eventually(t, "the backoff ends", func() bool {
		var c ffrtmp.ClaimResponse
		m.want(200, "POST", "/jobs/claim", `{"node_id":"`+nodeA+`"}`).decode(t, &c)
		return len(c.Jobs) == 1
	})
	completed := strings.Replace(failed, "failed", "completed", 1)
	if r := m.want(409, "POST", "/results", completed); !strings.Contains(string(r.body), "stale_attempt") {
		t.Errorf("got %s for a late result, want stale_attempt", r.body)
	}
	if now := m.job(j.ID); now.Status != ffrtmp.Running || now.NodeID != nodeA {
		t.Errorf("got %+v, want running on %s", now, nodeA)
	}
	// It registers again: it has restarted and lost its jobs.
	m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/next?node_id="+node.ID, "")
	m.want(http.StatusOK, "POST", "/nodes/register", `{"address":"enc-01"}`)
	if now := m.job("2"); now.Status != ffrtmp.Pending {
		t.Errorf("got %s after a new registration, want pending", now.Status)
	}
}

// A follower repeats the request and must get the same job: the node would run the second, and its
// empty heartbeats would renew the first without end.
func TestNext_AnswerLost(t *testing.T) {
	leader, follower, peer := pair(t)
	var node ffrtmp.Registered
	leader.want(201, "POST", "/nodes/register", `{"address":"enc-01"}`).decode(t, &node)
	first, second := leader.submit(`{"scenario":"720p"}`), leader.submit(`{"scenario":"720p"}`)
	next := func() *ffrtmp.Job {
		t.Helper()
		var answer struct{ Job *ffrtmp.Job }
		follower.want(200, "GET", "/jobs/next?node_id="+node.ID, "").decode(t, &answer)
		return answer.Job
	}
	peer.cut.Store(true)
	if j := next(); j == nil || j.ID != first.ID || j.Attempt != 1 {
		t.Errorf("got %+v, want attempt 1 of %s", j, first.ID)
	}
	if j := leader.job(second.ID); j.Status != ffrtmp.Pending {
		t.Errorf("got the other job %s, want pending", j.Status)
	}
	// The same when it is the last job, and when leadership moves in between.
	peer.cut.Store(true)
	peer.onCut = func() {
		leader.cluster.setLeader(nil)
		leader.lead()
	}
	if j := next(); j == nil || j.ID != second.ID || j.Attempt != 1 {
		t.Errorf("got %+v, want attempt 1 of %s", j, second.ID)
	}
	if j := next(); j != nil {
		t.Errorf("got %+v, want none", j)
	}
}

// A load balancer repeats a claim under one request id.
func TestNext_RepeatedByALoadBalancer(t *testing.T) {
	leader, follower, _ := pair(t)
	node := leader.v22Node("enc-01", "")
	first, second := leader.submit(`{"scenario":"720p"}`), leader.submit(`{"scenario":"720p"}`)
	for _, try := range []struct {
		m    *master
		id   string
		want string
	}{
		{leader, "5f0c2e1b7a3d4c6e8f9a0b1c2d3e4f50", first.ID},
		{follower, "5f0c2e1b7a3d4c6e8f9a0b1c2d3e4f50", first.ID},
		{leader, "6f0c2e1b7a3d4c6e8f9a0b1c2d3e4f50", second.ID},
	} {
		var answer struct{ Job *ffrtmp.Job }
		try.m.want(http.StatusOK, "GET", "/jobs/next?node_id="+node, "", "X-Request-Id", try.id).decode(t, &answer)
		if answer.Job == nil || answer.Job.ID != try.want || answer.Job.Attempt != 1 {
			t.Errorf("request %s at %s: got %+v, want attempt 1 of %s", try.id, try.m.cluster.id, answer.Job, try.want)
		}
	}
}

// A v2.2 node is handed parameters that make its ffmpeg do what the scenario says, or is not handed the job, and
// explain says why.
func TestNext_ParametersForV22(t *testing.T) {
	m := newMaster(t)
	node := m.v22Node("enc-01", "")
	for _, kept := range []struct{ spec, reason string }{
		{`{"scenario":"720p","parameters":{"input":"in.mp4"}}`, "a v2.2 agent does not scale an input"},
		{`{"scenario":"audio-aac"}`, "a v2.2 agent always encodes video"},
		{`{"scenario":"720p","parameters":{"fit":"pad"}}`, "a v2.2 agent ignores parameters.fit"},
	} {
		j := m.submit(kept.spec)
		if got := m.next(node); got != nil {
			t.Errorf("%s: got it on a v2.2 node", kept.spec)
		}
		var e ffrtmp.Explanation
		m.want(http.StatusOK, "GET", "/jobs/"+j.ID+"/explain", "").decode(t, &e)
		if len(e.Nodes) != 1 || e.Nodes[0].Reason != kept.reason {
			t.Errorf("%s: got %+v, want reason %q", kept.spec, e.Nodes, kept.reason)
		}
	}
	m.submit(`{"scenario":"live-480p60-vp9","queue":"live","parameters":{"duration":5,"engine":"auto"}}`)
	var answer struct{ Job map[string]any }
	m.want(http.StatusOK, "GET", "/jobs/next?node_id="+node, "").decode(t, &answer)
	contains(t, "job", answer.Job, map[string]any{"scenario": "live-480p60-vp9", "parameters": map[string]any{
		"codec": "libvpx-vp9", "resolution_width": 854.0, "resolution_height": 480.0, "frame_rate": 60.0,
		"duration": 5.0, "engine": "ffmpeg", "bitrate": "0", "output_mode": "file",
	}})
	// The job itself stays as it was submitted.
	if j := m.job("4"); string(j.Parameters) != `{"duration":5,"engine":"auto"}` {
		t.Errorf("got %s, want the parameters as submitted", j.Parameters)
	}
	// A newer agent's node gets the others.
	m.register(nodeA)
	var c ffrtmp.ClaimResponse
	m.want(http.StatusOK, "POST", "/jobs/claim", `{"node_id":"`+nodeA+`"}`).decode(t, &c)
	if len(c.Jobs) != 1 || string(c.Jobs[0].Parameters) != `{"input":"in.mp4"}` {
		t.Errorf("got %+v, want the first job with its own parameters", c.Jobs)
	}
}

// A v2.2 agent cannot pause, and stops a canceled ffmpeg when it next asks.
func TestV22_PauseAndCancel(t *testing.T) {
	m := newMaster(t)
	node := m.v22Node("enc-01", "")
	j := m.submit(`{"scenario":"720p"}`)
	m.want(http.StatusOK, "POST", "/jobs/1/pause", "") // nothing runs yet
	m.want(http.StatusOK, "POST", "/jobs/1/resume", "")
	if m.next(node) == nil {
		t.Fatal("got no job, want one")
	}
	var p problem
	m.want(http.StatusConflict, "POST", "/jobs/1/pause", "").decode(t, &p)
	if want := "the v2.2 agent of node enc-01 runs it and cannot pause"; !strings.Contains(p.Error, want) {
		t.Errorf("got %q, want %q", p.Error, want)
	}
	if r := m.want(http.StatusOK, "POST", "/jobs/pause", `{"filter":{"status":"running"}}`); string(
		r.body) != `{"count":0}`+"\n" {
		t.Errorf("got %s, want no job paused", r.body)
	}
	if now := m.job("1"); now.Status != ffrtmp.Running {
		t.Errorf("got %s, want running", now.Status)
	}
	var answer acted
	m.want(http.StatusOK, "POST", "/jobs/"+j.ID+"/cancel", "").decode(t, &answer)
	if answer.Status != ffrtmp.Canceled || !strings.Contains(answer.Note, "v2.2 agent of node enc-01") {
		t.Errorf("got %+v, want canceled with a note", answer)
	}
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	m.want(http.StatusOK, "POST", "/jobs/claim", `{"node_id":"`+nodeA+`"}`)
	if r := m.want(http.StatusOK, "POST", "/jobs/2/cancel", ""); strings.Contains(string(r.body), "note") {
		t.Errorf("got %s on a newer node, want no note", r.body)
	}
}

// A v2.2 agent uploads its ffmpeg's command line and log as they are; nothing that can be read has the stream key.
func TestResult_RedactedForV22(t *testing.T) {
	m := newMaster(t)
	node := m.v22Node("enc-01", "")
	m.submit(`{"scenario":"720p","parameters":{"output_mode":"rtmp","rtmp_url":"rtmp://example.org/live",` +
		`"stream_key":"sekret-1","duration":5},"max_retries":0}`)
	if m.next(node) == nil {
		t.Fatal("got no job, want the stream")
	}
	m.want(http.StatusOK, "POST", "/results", `{"job_id":"1","node_id":"`+node+`","status":"failed",
		"error":"rtmp://example.org/live/sekret-1: I/O error","logs":"ffmpeg -f flv rtmp://example.org/live/sekret-1",
		"metrics":{"command":"ffmpeg -f flv rtmp://example.org/live/sekret-1"}}`)
	for _, path := range []string{"/jobs/1", "/jobs/1/logs", "/jobs/1/explain", "/jobs"} {
		body := string(m.want(http.StatusOK, "GET", path, "").body)
		if strings.Contains(body, "sekret-1") {
			t.Errorf("%s: got %s, want no stream key", path, body)
		}
	}
	body := string(m.want(http.StatusOK, "GET", "/jobs/1/logs", "").body)
	if !strings.Contains(body, "rtmp://example.org/live/"+ffrtmp.Redacted) {
		t.Errorf("got log %s, want the rest of it", body)
	}
}
