package api

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

func result(j ffrtmp.Job, status, more string) string {
	return fmt.Sprintf(`{"job_id":%q,"node_id":%q,"attempt":%d,"lease":%q,"status":%q%s}`, j.ID, j.NodeID, j.Attempt,
		j.Lease, status, more)
}

// A job from submission to completion.
func TestJob_Lifecycle(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	submitted := m.want(http.StatusCreated, "POST", "/jobs", `{"scenario":"720p30-h264"}`)
	var j ffrtmp.Job
	submitted.decode(t, &j)
	if got, want := submitted.Header.Get("Location"), "/jobs/"+j.ID; got != want {
		t.Errorf("got Location %q, want %q", got, want)
	}
	if j.SequenceNumber != 1 || j.Status != ffrtmp.Pending {
		t.Errorf("got %+v, want pending job 1", j)
	}
	claimed := m.claim(nodeA)
	if claimed.ID != j.ID || claimed.Lease == "" || claimed.Attempt != 1 {
		t.Fatalf("got %+v, want attempt 1 of %s with a lease", claimed, j.ID)
	}
	m.want(http.StatusOK, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(
		`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"progress":40.7,`+
			`"progress_detail":{"phase":"encoding","fps":25},"log_tail":"frame=1\n"}]}`,
		j.ID, claimed.Lease))
	if now := m.job("1"); now.Progress != 40 || now.ProgressDetail == nil || now.ProgressDetail.FPS != 25 ||
		now.Lease != "" {
		t.Errorf("got %+v, want progress 40 at 25 fps without a lease", now)
	}
	m.want(http.StatusOK, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(
		`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"progress":99,"progress_detail":{"phase":"verifying"}}]}`,
		j.ID, claimed.Lease))
	m.want(http.StatusConflict, "POST", "/jobs/1/pause", "") // there is no ffmpeg to pause
	m.wantCount("pause?dry_run=true", `{"filter":{"status":"running"}}`, 0)
	m.wantCount("pause", `{"filter":{"status":"running"}}`, 0)
	m.want(http.StatusOK, "POST", "/results", result(claimed, "publishing", ""))
	m.want(http.StatusConflict, "POST", "/jobs/1/pause", "")
	m.wantCount("pause", `{"filter":{"status":"running"}}`, 0)
	if now := m.job("1"); now.Status != ffrtmp.Running || now.ProgressDetail.Phase != ffrtmp.PublishingPhase {
		t.Errorf("got %+v, want running, phase publishing", now)
	}
	done := result(claimed, "completed", `,"output":{"path":"/out.mp4","size_bytes":9},"logs":"frame=1\nframe=2\n"`)
	for range 2 { // the second time changes nothing
		if got := m.want(http.StatusOK, "POST", "/results", done); string(got.body) != "{\"status\":\"success\"}\n" {
			t.Errorf("got %s, want success", got.body)
		}
	}
	now := m.job(j.ID)
	if now.Status != ffrtmp.Completed || now.Output == nil || now.Output.Path != "/out.mp4" || now.Progress != 100 ||
		len(now.Attempts) != 1 {
		t.Errorf("got %+v, want completed with /out.mp4 and one attempt", now)
	}
	var logs attemptLog
	m.want(http.StatusOK, "GET", "/jobs/1/logs", "").decode(t, &logs)
	if logs.Logs != "frame=1\nframe=2\n" {
		t.Errorf("got log %q, want two frames", logs.Logs)
	}
}

// The job is completed between the read of its state and that of its live progress.
func TestGetJob_CompletedWhileRead(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p30-h264"}`)
	claimed := m.claim(nodeA)
	m.want(http.StatusOK, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(
		`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"progress":40}]}`, claimed.ID, claimed.Lease))
	var complete sync.Once
	got, err := m.api.current(func() (ffrtmp.Job, error) {
		j, err := m.fsm.Job(t.Context(), "1")
		complete.Do(func() { m.want(http.StatusOK, "POST", "/results", result(claimed, "completed", "")) })
		return j, err
	})
	if err != nil || got.Status != ffrtmp.Completed || got.Progress != 100 {
		t.Errorf("got %s with progress %d (%v), want completed with 100", got.Status, got.Progress, err)
	}
}

// The answer to a submission is built without reading the job back; it equals the job.
func TestSubmitJob_AnswerEqualsJob(t *testing.T) {
	m := newMaster(t)
	for _, body := range []string{
		`{"scenario":"1080p30-h264"}`,
		`{"scenario":"live-720p-h264","confidence":"auto","engine":"ffmpeg","classification":"c<&>","queue":"batch",
			"priority":"high","max_retries":0,"labels":{"b":"2","a":"\u00e4 \u2028"},
			"requires":{"gpu":true,"min_cpu_threads":2,"labels":{"zone":"x"}},
			"parameters": { "input" : "/media/\u00e4.mov", "bitrate": "10M", "resource_limits":{"timeout_sec":9} } }`,
		`{"scenario":"720p-h264","labels":{},"requires":{},"parameters":null}`,
		`{"scenario":"720p-h264",
			"parameters":{"output_mode":"rtmp","rtmp_url":"rtmp://host/app","stream_key":"secret"}}`,
	} {
		made := m.want(http.StatusCreated, "POST", "/jobs", body, "X-Request-Id", "request-1")
		var j ffrtmp.Job
		made.decode(t, &j)
		read := m.want(http.StatusOK, "GET", "/jobs/"+j.ID, "")
		if !bytes.Equal(made.body, read.body) {
			t.Errorf("got %s, want %s", made.body, read.body)
		}
	}
}
