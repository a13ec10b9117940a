package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// dryRunOf asks what a submission would create and run.
func (m *master) dryRunOf(query, body string) (r ffrtmp.DryRun) {
	m.t.Helper()
	m.want(200, "POST", "/jobs?dry_run=true"+query, body).decode(m.t, &r)
	return r
}

// A dry run shows the job and the command with the names that the job gives, and creates nothing.
func TestDryRun(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	before := m.fsm.Index()
	r := m.dryRunOf("", `{"scenario":"720p30","parameters":{"input":"in/a b.mkv","output":"out//x.mp4"}}`)
	if r.Command[0] != "ffmpeg" || !follows(r.Command, "-i", "in/a b.mkv") ||
		!follows(r.Command, "-c:v", "libx264") || !follows(r.Command, "-f", "mp4") ||
		r.Command[len(r.Command)-1] != "out/x.mp4" {
		t.Errorf("got command %q, want that of in/a b.mkv to out/x.mp4", r.Command)
	}
	if r.Job.Status != ffrtmp.Pending || r.Job.SequenceNumber != 0 || r.Job.Scenario != "720p30" || r.NodeID != nodeA ||
		len(r.Assumed) == 0 || len(r.Warnings) > 0 {
		t.Errorf("got %+v, want a pending job for node A with assumptions", r)
	}
	if pattern := m.dryRunOf("", `{"scenario":"720p"}`); len(pattern.Assumed) > 0 ||
		!strings.Contains(strings.Join(pattern.Command, " "), "testsrc2") {
		t.Errorf("got %+v, want a test pattern without assumptions", pattern)
	}
	if after := m.fsm.Index(); after != before || len(m.list("")) > 0 {
		t.Errorf("got index %d, want %d and no job", after, before)
	}
}

// A dry run of two passes shows both commands, with the log's name.
func TestDryRun_TwoPass(t *testing.T) {
	m := newMaster(t)
	r := m.dryRunOf("", `{"scenario":"720p","parameters":{"input":"a.mkv","output":"b.mp4","bitrate":"1M",
		"two_pass":true,"start":"1:30"}}`)
	command := strings.Join(r.Command, " ")
	first, second, both := strings.Cut(command, " && ffmpeg ")
	for part, want := range map[string]string{
		first: "-pass 1 -passlogfile pass -an -f mp4 /dev/null", second: "-pass 2 -passlogfile pass",
	} {
		if !both || !strings.Contains(part, want) || !strings.Contains(part, "-ss 90 ") {
			t.Errorf("got %s, want two commands, one with %s", command, want)
		}
	}
	if r.Command[len(r.Command)-1] != "b.mp4" {
		t.Errorf("got command %q, want the output last", r.Command)
	}
}

// A dry run says how many jobs are ahead, and when it would start: at once, at the rate of the last hour, or unknown.
func TestDryRun_Wait(t *testing.T) {
	m := newMaster(t)
	if r := m.dryRunOf("", `{"scenario":"720p"}`); r.Ahead != 0 || r.EstimatedWaitSeconds != nil {
		t.Errorf("got %+v, want an unknown wait without a node", r)
	}
	m.register(nodeA)
	if r := m.dryRunOf("", `{"scenario":"720p"}`); r.EstimatedWaitSeconds == nil || *r.EstimatedWaitSeconds != 0 {
		t.Errorf("got %+v, want a start at once", r)
	}
	for _, queue := range []string{"live", "default", "default", "batch"} {
		m.submit(`{"scenario":"720p","queue":"` + queue + `"}`)
	}
	if r := m.dryRunOf("", `{"scenario":"720p"}`); r.Ahead != 3 || r.EstimatedWaitSeconds != nil {
		t.Errorf("got %+v, want 3 jobs ahead and an unknown wait, because none has started", r)
	}
	m.claim(nodeA)
	r := m.dryRunOf("", `{"scenario":"720p","queue":"batch"}`)
	if r.Ahead != 3 || r.EstimatedWaitSeconds == nil || *r.EstimatedWaitSeconds <= 0 {
		t.Errorf("got %+v, want 3 jobs ahead and a wait", r)
	}
}

// follows reports whether value comes after option.
func follows(command []string, option, value string) bool {
	for i := range command[1:] {
		if command[i] == option && command[i+1] == value {
			return true
		}
	}
	return false
}

// No part of the answer has a stream key or another secret of a URL.
func TestDryRun_NoSecrets(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	for _, parameters := range []string{
		`{"output_mode":"rtmp","rtmp_url":"rtmp://live.example.com/app","stream_key":"hush-42"}`,
		`{"output_mode":"rtmp","rtmp_url":"rtmp://live.example.com/app/hush-42"}`,
		`{"input":"rtmp://live.example.com/app/hush-42"}`,
		`{"input":"rtmp://live.example.com/app/-hush-42"}`,
		`{"input":"https://u:hush-42@example.com/a.mkv?token=hush-42"}`,
	} {
		body := `{"scenario":"720p","parameters":` + parameters + `}`
		answer := m.want(200, "POST", "/jobs?dry_run=true", body)
		if strings.Contains(string(answer.body), "hush-42") {
			t.Errorf("%s: got %s, want no secret", parameters, answer.body)
		}
		var r ffrtmp.DryRun
		if answer.decode(t, &r); !slices.Contains(r.Command, "-c:v") {
			t.Errorf("%s: got %+v, want a command", parameters, r)
		}
	}
}

// A dry run is about the named node, or one that can run the job, and says when none can.
func TestDryRun_Nodes(t *testing.T) {
	m := newMaster(t)
	if r := m.dryRunOf("", `{"scenario":"720p"}`); r.NodeID != "" || len(r.Command) == 0 ||
		!strings.Contains(strings.Join(r.Warnings, " "), "none is registered") {
		t.Errorf("got %+v, want a command and a warning", r)
	}
	m.register(nodeA)
	r := m.dryRunOf("&node="+nodeA, `{"scenario":"720p-av1"}`)
	if r.NodeID != nodeA || !strings.Contains(strings.Join(r.Warnings, " "), "libsvtav1") {
		t.Errorf("got %+v, want node A and a warning about libsvtav1", r)
	}
	m.want(400, "POST", "/jobs?dry_run=true&node=nosuch", `{"scenario":"720p"}`)
	m.want(400, "POST", "/jobs?node="+nodeA, `{"scenario":"720p"}`)
	m.want(400, "POST", "/jobs?dry_run=true", `{"scenario":"nosuch"}`)
	m.submit(`{"scenario":"720p","parameters":{"output":"x.mp4"}}`)
	m.want(409, "POST", "/jobs?dry_run", `{"scenario":"720p","parameters":{"output":"./x.mp4"}}`)
}

// The command has the tracks that a job lists; what only the input shows is assumed.
func TestDryRun_Tracks(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	r := m.dryRunOf("", `{"scenario":"720p","parameters":{"input":"in.mkv","audio":[{"language":"eng"},{"all":true}],
		"subtitles":[{"index":1},{"mode":"burn"}]}}`)
	command := strings.Join(r.Command, " ")
	for _, part := range []string{
		"-map 0:a:m:language:eng -c:a:0 aac", "-map 0:s:1 -c:s:0 mov_text", "subtitles=filename=in.mkv:stream_index=0",
	} {
		if !strings.Contains(command, part) {
			t.Errorf("got %s, want %s", command, part)
		}
	}
	for _, assumed := range []string{
		"audio[0]: the input has one audio track in language eng", "audio[1]: the input has one audio track",
		"subtitles[1]: the input has one such track, of text",
	} {
		if !slices.Contains(r.Assumed, assumed) {
			t.Errorf("got %q, want %q", r.Assumed, assumed)
		}
	}
}
