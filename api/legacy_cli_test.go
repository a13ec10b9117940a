package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// v22Node registers a node as v2.2's agent does.
func (m *master) v22Node(address, more string) string {
	m.t.Helper()
	var node ffrtmp.Registered
	registration := `{"address":"` + address +
		`","type":"server","cpu_threads":8,"cpu_model":"x","ram_total_bytes":17179869184` + more + `}`
	m.want(http.StatusCreated, "POST", "/nodes/register", registration).decode(m.t, &node)
	return node.ID
}

// next returns the job that a v2.2 node gets, or nil.
func (m *master) next(node string) *ffrtmp.Job {
	m.t.Helper()
	var answer struct{ Job *ffrtmp.Job }
	m.want(http.StatusOK, "GET", "/jobs/next?node_id="+node, "").decode(m.t, &answer)
	return answer.Job
}

// v22Result reports a result as v2.2's agent does.
func (m *master) v22Result(status int, node, id, result, more string) response {
	m.t.Helper()
	return m.want(
		status,
		"POST",
		"/results",
		`{"job_id":"`+id+`","node_id":"`+node+`","status":"`+result+`","completed_at":"`+time.Now().Format(
			time.RFC3339Nano)+`"`+more+`}`,
	)
}

// The defects of v2.2's master, as its clients saw them.
func TestV22_Defects(t *testing.T) {
	m := newMaster(t)
	cpu := m.v22Node("enc-01", `,"has_gpu":false`)

	// An id was read as the number that it begins with.
	first := m.submit(`{"scenario":"720p60-h264"}`)
	for _, path := range []string{
		"/jobs/1d9361e3-3e52-4354-8096-73827c55a0a9", "/jobs/1x", "/jobs/01", "/jobs/0", "/jobs/-1",
		"/jobs/1d9361e3-3e52-4354-8096-73827c55a0a9/logs",
	} {
		m.want(http.StatusNotFound, "GET", path, "")
	}
	m.want(http.StatusNotFound, "POST", "/jobs/1d9361e3-3e52-4354-8096-73827c55a0a9/cancel", "")
	if j := m.job("1"); j.ID != first.ID || j.Status != ffrtmp.Pending {
		t.Errorf("got %+v, want %s pending", j, first.ID)
	}

	// A job for a GPU, at the head of the queue, kept nodes without one idle.
	gpu := m.submit(`{"scenario":"720p60-h264","queue":"live","priority":"high","parameters":{"hwaccel":"nvenc"}}`)
	m.want(http.StatusMethodNotAllowed, "HEAD", "/jobs/next?node_id="+cpu, "") // a probe must not claim a job
	if j := m.next(cpu); j == nil || j.ID != first.ID {
		t.Fatalf("got %+v, want %s, queued behind a job for a GPU", j, first.ID)
	}
	if j := m.next(cpu); j != nil {
		t.Errorf("got %+v on a node without a GPU, want none", j)
	}

	// A cancel wedged the master.
	m.want(http.StatusOK, "POST", "/jobs/"+first.ID+"/cancel", "")
	m.want(http.StatusOK, "POST", "/jobs/"+first.ID+"/cancel", "")
	var seen ffrtmp.Job
	m.want(http.StatusOK, "GET", "/api/v1/jobs/"+first.ID, "").decode(t, &seen)
	if seen.Status != ffrtmp.Canceled {
		t.Errorf("got %s, want canceled", seen.Status)
	}
	m.v22Result(http.StatusOK, cpu, first.ID, "canceled",
		`,"error":"Job canceled by user","logs":"killed","metrics":{"canceled":true}`)
	m.want(http.StatusOK, "POST", "/jobs/"+gpu.ID+"/cancel", "")

	// "banana" was a status, of jobs and in filters.
	second := m.submit(`{"scenario":"720p60-h264"}`)
	if j := m.next(cpu); j == nil || j.ID != second.ID {
		t.Fatalf("got %+v after a cancel, want %s", j, second.ID)
	}
	for _, r := range []response{
		m.v22Result(http.StatusBadRequest, cpu, second.ID, "banana", ""),
		m.want(http.StatusBadRequest, "GET", "/jobs?status=banana", ""),
	} {
		var p problem
		if r.decode(t, &p); p.Field != "status" {
			t.Errorf("got %s, want field status", r.body)
		}
	}

	// Nodes vanished after a retry, and logs were never kept.
	m.v22Result(http.StatusOK, cpu, second.ID, "failed",
		`,"error":"exit status 1","logs":"Conversion failed!","metrics":null,"analyzer_output":null`)
	var nodes ffrtmp.NodeList
	if m.want(http.StatusOK, "GET", "/nodes", "").decode(t, &nodes); nodes.Count != 1 || nodes.Nodes[0].ID != cpu ||
		nodes.Nodes[0].Status != ffrtmp.NodeAvailable {
		t.Errorf("got %+v, want one available node", nodes)
	}
	eventually(t, "the backoff ends", func() bool { return m.next(cpu) != nil })
	for attempt, want := range map[int]string{1: "Conversion failed!", 2: "frame=1"} {
		if attempt == 2 {
			m.v22Result(http.StatusOK, cpu, second.ID, "completed", `,"logs":"frame=1"`)
		}
		var log attemptLog
		if m.want(http.StatusOK, "GET", fmt.Sprintf("/jobs/%s/logs?attempt=%d", second.ID, attempt), "").decode(t,
			&log); log.Logs != want {
			t.Errorf("attempt %d: got log %q, want %q", attempt, log.Logs, want)
		}
	}

	// A long live job was started a second time.
	live := m.submit(`{"scenario":"live-720p30-h264"}`)
	if j := m.next(cpu); j == nil || j.ID != live.ID || j.Queue != ffrtmp.Live {
		t.Fatalf("got %+v, want the live job %s", j, live.ID)
	}
	other := m.v22Node("enc-02", "")
	m.want(http.StatusOK, "POST", "/nodes/"+cpu+"/heartbeat", "")
	if j := m.next(other); j != nil {
		t.Errorf("got %+v on another node, want none", j)
	}
	m.v22Result(http.StatusConflict, other, live.ID, "completed", "")
	m.v22Result(http.StatusOK, cpu, live.ID, "completed", "")
}

// All registrations that v2.2 agents are known to send.
func TestV22_Registrations(t *testing.T) {
	m := newMaster(t)
	for i, more := range []string{
		``,
		`,"has_gpu":true,"gpu_type":"NVIDIA T4","gpu_capabilities":["nvenc_h264","nvenc_h265"],` +
			`"labels":{"os":"linux","node_type":"laptop"}`,
		`,"gpu_type":"","gpu_capabilities":null,"labels":null`,
		`,"cpu_load_percent":12.5,"ram_free_bytes":1024,"ffmpeg_version":"6.1","encoders_detected":{"h264":true}`,
		`,"name":"other","labels":{}`,
	} {
		m.v22Node(fmt.Sprint("enc-", i), more)
	}
	for _, kind := range []string{"server", "desktop", "laptop"} {
		var n ffrtmp.Registered
		registration := `{"address":"` + kind + `","type":"` + kind + `"}`
		m.want(http.StatusCreated, "POST", "/nodes/register", registration).decode(t, &n)
		if n.Type != kind || n.Name != kind {
			t.Errorf("got %+v, want type and name %s", n, kind)
		}
	}
}

// Answers have the types and statuses that v2.2's CLI reads.
func TestV22_CLI(t *testing.T) {
	m := newMaster(t)
	node := m.v22Node("enc-01", `,"has_gpu":true,"gpu_type":"T4","gpu_capabilities":["nvenc_h264"]`)
	const submit = `{"scenario":"4K60-h264","confidence":"auto","engine":"auto","queue":"default",` +
		`"priority":"medium","parameters":{"duration":5,"bitrate":"10M","engine":"auto"}}`
	jobTypes := map[string]any{
		"id":               "",
		"sequence_number":  0,
		"scenario":         "",
		"confidence":       "",
		"engine":           "",
		"parameters":       map[string]any{},
		"status":           "",
		"queue":            "",
		"priority":         "",
		"progress":         0,
		"node_id":          "",
		"node_name":        "",
		"created_at":       time.Time{},
		"started_at":       time.Time{},
		"last_activity_at": time.Time{},
		"completed_at":     time.Time{},
		"retry_count":      0,
		"max_retries":      0,
		"retry_reason":     "",
		"error":            "",
		"failure_reason":   "",
		"logs":             "",
		"timeout_at":       time.Time{},
	}
	nodeTypes := map[string]any{
		"id":               "",
		"name":             "",
		"address":          "",
		"type":             "",
		"cpu_threads":      0,
		"cpu_model":        "",
		"has_gpu":          false,
		"gpu_type":         "",
		"gpu_capabilities": []any{},
		"ram_total_bytes":  0,
		"labels":           map[string]any{},
		"status":           "",
		"last_heartbeat":   time.Time{},
		"registered_at":    time.Time{},
		"current_job_id":   "",
	}
	var created map[string]any
	m.want(http.StatusCreated, "POST", "/jobs", submit).decode(t, &created)
	readable(t, "a new job", created, jobTypes)
	id, _ := created["id"].(string)
	if m.next(node) == nil {
		t.Fatal("got no job, want one")
	}
	m.v22Result(http.StatusOK, node, id, "failed",
		`,"error":"boom","failure_reason":"user_error","logs":"no such file"`)
	for _, ref := range []string{id, "1"} {
		var failed map[string]any
		m.want(http.StatusOK, "GET", "/jobs/"+ref, "").decode(t, &failed)
		readable(t, "a failed job", failed, jobTypes)
		if failed["status"] != "failed" || failed["failure_reason"] != "user_error" ||
			failed["node_name"] != "enc-01" ||
			failed["completed_at"] == nil {
			t.Errorf("got %v, want failed by user_error on enc-01", failed)
		}
	}
	for _, action := range []struct {
		name   string
		status ffrtmp.Status
	}{{"retry", ffrtmp.Pending}, {"pause", ffrtmp.Paused}, {"resume", ffrtmp.Pending}, {"cancel", ffrtmp.Canceled}} {
		var answer map[string]any
		m.want(http.StatusOK, "POST", "/jobs/1/"+action.name, "").decode(t, &answer)
		if answer["job_id"] != id || answer["status"] != string(action.status) {
			t.Errorf("%s: got %v, want %s of %s", action.name, answer, action.status, id)
		}
		if count, ok := answer["retry_count"]; ok != (action.name == "retry") || ok && count != 0.0 {
			t.Errorf("%s: got retry_count %v, want 0 for a retry only", action.name, count)
		}
	}
	var logs map[string]any
	if m.want(http.StatusOK, "GET", "/jobs/1/logs", "").decode(t, &logs); logs["job_id"] != id ||
		logs["logs"] != "no such file" {
		t.Errorf("got %v, want the log of %s", logs, id)
	}
	for path, types := range map[string]map[string]any{"/jobs": jobTypes, "/nodes": nodeTypes} {
		var list struct {
			Jobs, Nodes []map[string]any
			Count       int
		}
		m.want(http.StatusOK, "GET", path, "").decode(t, &list)
		rows := slices.Concat(list.Jobs, list.Nodes)
		if list.Count != 1 || len(rows) != 1 {
			t.Fatalf("%s: got %+v, want one row", path, list)
		}
		readable(t, path, rows[0], types)
	}
	var described map[string]any
	m.want(http.StatusOK, "GET", "/nodes/"+node, "").decode(t, &described)
	readable(t, "a node", described, nodeTypes)
}

// readable checks that each field that exists decodes as the type of its sample value.
func readable(t *testing.T, what string, got, types map[string]any) {
	t.Helper()
	for field, like := range types {
		v, there := got[field]
		if !there {
			continue
		}
		ok := false
		switch like.(type) {
		case string:
			_, ok = v.(string)
		case bool:
			_, ok = v.(bool)
		case int:
			f, isNumber := v.(float64)
			ok = isNumber && f == float64(int64(f))
		case time.Time:
			text, _ := v.(string)
			_, err := time.Parse(time.RFC3339, text)
			ok = err == nil
		case map[string]any:
			_, ok = v.(map[string]any)
		case []any:
			_, ok = v.([]any)
		}
		if !ok {
			text, _ := json.Marshal(v)
			t.Errorf("%s: got %s = %s, want a %T", what, field, text, like)
		}
	}
}
