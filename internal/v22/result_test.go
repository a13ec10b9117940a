package v22

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// completedJob is a job that took 2.5 seconds.
func completedJob(created int64, change ...func(*ffrtmp.ImportedJob)) *ffrtmp.ImportedJob {
	began := time.Unix(created+1, 0).UTC()
	j := &ffrtmp.ImportedJob{
		Status: ffrtmp.Completed, CreatedAt: time.Unix(created, 5e8).UTC(),
		CompletedAt: began.Add(2500 * time.Millisecond),
		LastAttempt: &ffrtmp.Attempt{StartedAt: began, EndedAt: began.Add(2500 * time.Millisecond)},
	}
	j.Scenario, j.Engine = "720p", "auto"
	for _, f := range change {
		f(j)
	}
	return j
}

// Each entry becomes the metrics of the one job that it is about.
func TestResults_Of(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"test_results_20261122_070335.json": `{"scenarios":[
			{"name":"720p","encoder_type":"auto","start_time":1000,"end_time":1003,"duration":2.5,"bitrate":"0k",
			 "vmaf_score":92.5,"energy_joules":10.5,"power_watts":[4.2],"step_seconds":2.5},
			{"name":"720p","encoder_type":"auto","start_time":1000,"end_time":1003,"duration":2.1,"vmaf_score":80},
			{"name":"1080p","encoder_type":"auto","start_time":1000,"duration":0,"qoe_score":3}]}`,
		"test_results_20261122_090000.json": `{"scenarios":[
			{"name":"720p","encoder_type":"gstreamer","start_time":1000,"end_time":1003,"duration":2.5,
			"vmaf_score":1}]}`,
		"other.json": `{`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := ReadResults(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		job  *ffrtmp.ImportedJob
		want string
	}{
		{"its own", completedJob(1000), `{"bitrate":"0k","duration":2.5,"energy_joules":10.5,"power_watts":[4.2],` +
			`"step_seconds":2.5,"vmaf_score":92.5}`},
		{"the next best", completedJob(1000), `{"duration":2.1,"vmaf_score":80}`},
		{"none left", completedJob(1000), ""},
		{
			"without an end", completedJob(1000, func(j *ffrtmp.ImportedJob) { j.Scenario = "1080p" }),
			`{"duration":0,"qoe_score":3}`,
		},
		{"another second", completedJob(1001, func(j *ffrtmp.ImportedJob) { j.Engine = "gstreamer" }), ""},
		{"another end", completedJob(1000, func(j *ffrtmp.ImportedJob) {
			j.Engine, j.CompletedAt = "gstreamer", j.CompletedAt.Add(time.Minute)
		}), ""},
		{"a failed job", completedJob(1000, func(j *ffrtmp.ImportedJob) {
			j.Engine, j.Status = "gstreamer", ffrtmp.Failed
		}), ""},
	} {
		if got := string(r.Of(tt.job)); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
	if all, used := r.Count(); all != 4 || used != 3 {
		t.Errorf("got %d entries, %d used, want 4 and 3", all, used)
	}
}

// No directory has no results; a file that cannot be read is an error that names it.
func TestReadResults_Faults(t *testing.T) {
	dir := t.TempDir()
	r, err := ReadResults(filepath.Join(dir, "none"))
	if err != nil {
		t.Fatal(err)
	}
	if all, _ := r.Count(); all != 0 {
		t.Errorf("no directory: got %d entries, want none", all)
	}
	for _, content := range []string{"{", `{"scenarios":[{"name":7}]}`, `{"scenarios":[{"start_time":"x"}]}`} {
		file := filepath.Join(dir, "test_results_1.json")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadResults(dir); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want an error with the file", content, err)
		}
	}
}

// What a v2.2 job was run, as the masters accept it.
func TestRuns_Valid(t *testing.T) {
	for _, tt := range []struct {
		transitions, status string
		retries             int
		want                string
	}{
		{`null`, "completed", 3, "1 failed, 2 failed, 3 failed, 4 completed"},
		{`[]`, "pending", 0, ""},
		{`[{"to":"assigned","timestamp":"2026-11-22T07:05:00Z"}]`, "pending", 0, "1 failed"},
		{
			`[{"to":"assigned","timestamp":"2026-11-22T07:05:00Z"},
			{"to":"completed","timestamp":"2026-11-22T07:06:00Z"}]`,
			"canceled", 0, "1 canceled",
		},
		{
			`[{"to":"completed","timestamp":"2026-11-22T07:06:00Z"},
			{"to":"running","timestamp":"2026-11-22T07:07:00Z"}]`,
			"failed", 0, "1 failed",
		},
		{`[{"to":"assigned","timestamp":"2026-11-22T07:05:00Z"},{"to":"canceled","timestamp":"2026-11-22T07:06:00Z"},
		   {"to":"assigned"}]`, "processing", 2, "1 failed, 2 failed, 3 lost"},
		{`null`, "failed", 1 << 30, "1048577 failed"},
	} {
		row := record{
			"id": "a0000000-0000-4000-8000-000000000001", "scenario": "720p", "status": tt.status,
			"created_at": "2026-11-22 07:03:35+00:00", "started_at": "2026-11-22 07:04:00+00:00",
			"state_transitions": tt.transitions, "retry_count": jsonOf(t, tt.retries),
		}
		j, err := row.job()
		if err == nil {
			err = j.Validate()
		}
		if err != nil {
			t.Errorf("%s of a job that is %s: %v", tt.transitions, tt.status, err)
			continue
		}
		if got := attemptsText(t, &j); got != tt.want {
			t.Errorf("%s of a job that is %s: got %q, want %q", tt.transitions, tt.status, got, tt.want)
		}
	}
}

func attemptsText(t *testing.T, j *ffrtmp.ImportedJob) string {
	t.Helper()
	var words []string
	list := j.EarlierAttempts
	if j.LastAttempt != nil {
		list = append(list, *j.LastAttempt)
	}
	for _, a := range list {
		if a.EndedAt.Before(a.StartedAt) {
			t.Errorf("got attempt %+v, want it to end after its start", a)
		}
		words = append(words, jsonOf(t, a.Attempt)+" "+string(a.Outcome))
	}
	return strings.Join(words, ", ")
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
