package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// record is a JSON log line.
type record struct {
	Level     string `json:"@level"`
	Message   string `json:"@message"`
	Module    string `json:"@module"`
	Timestamp string `json:"@timestamp"`
}

// records parses a JSON log.
func records(t *testing.T, log string) []record {
	t.Helper()
	var list []record
	for line := range strings.Lines(log) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Level == "" || r.Message == "" ||
			r.Timestamp == "" {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, r)
	}
	return list
}

// inOrder checks that the log contains the parts in this order.
func inOrder(t *testing.T, log string, parts ...string) {
	t.Helper()
	rest := log
	for _, part := range parts {
		at := strings.Index(rest, part)
		if at < 0 {
			t.Fatalf("got no %q in this place of the log:\n%s", part, log)
		}
		rest = rest[at+len(part):]
	}
}

// announced waits for the log lines of the start, which may arrive after the first answer.
func (m *single) announced(t *testing.T) string {
	t.Helper()
	testkit.Eventually(t, "the master logs its address", func() bool {
		_, rest, ok := strings.Cut(m.output.String(), "Master node listening")
		return ok && strings.Contains(rest, "\n")
	})
	return m.output.String()
}

// A master logs its settings at the start in v2.2's words.
func TestLog_MasterStart(t *testing.T) {
	t.Run("text", func(t *testing.T) {
		m := launchMaster(t, t.TempDir())
		inOrder(
			t,
			m.announced(t),
			"[INFO]  master: Starting FFmpeg RTMP Distributed Master Node",
			"[INFO]  master: Port: "+m.api,
			"[INFO]  master: Max Retries: 3",
			"[INFO]  master: ✓ Persistent storage enabled",
			"[INFO]  master: ✓ API authentication enabled",
			"[INFO]  master: ✓ TLS enabled",
			"[INFO]  master: ✓ Metrics endpoint enabled",
			"[INFO]  master: Master node listening on :"+m.api,
		)
	})
	t.Run("JSON, for development", func(t *testing.T) {
		m := launchMaster(t, t.TempDir(), "--log-format", "json", "--tls=false", "--db", "", "--max-retries", "0")
		var said string
		for _, r := range records(t, m.announced(t)) {
			said += r.Level + " " + r.Message + "\n"
		}
		inOrder(
			t,
			said,
			"info Starting FFmpeg RTMP Distributed Master Node",
			"info Port: "+m.api,
			"info Max Retries: 0",
			"warn all state is in memory",
			"info ✓ API authentication enabled",
			"warn TLS is off",
			"info ✓ Metrics endpoint enabled",
			"info Master node listening on :"+m.api,
		)
		if strings.Contains(said, "✓ TLS") || strings.Contains(said, "✓ Persistent") {
			t.Errorf("got lines about features that are off:\n%s", said)
		}
	})
}

// Of three masters only the leader logs a failed attempt, once, in v2.2's words.
func TestLog_FailuresOnce(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, MasterArgs: func(int) []string {
		return []string{"--log-format", "json", "--retry-base", "20ms", "--retry-cap", "20ms"}
	}})
	w, url := s.wire(), s.Master(s.follower()).URL()
	var node, j struct{ ID string }
	w.call(t, "POST", url+"/nodes/register",
		`{"address":"worker","type":"server","cpu_threads":8,"cpu_model":"cpu","ram_total_bytes":1024}`).
		want(t, 201).
		decode(t, &node)
	w.call(t, "POST", url+"/jobs", `{"scenario":"720p30-h264","max_retries":2}`).want(t, 201).decode(t, &j)
	for range 3 {
		s.eventually("the node gets the job", func() bool {
			var next struct{ Job *struct{ ID string } }
			w.call(t, "GET", url+"/jobs/next?node_id="+node.ID, "").want(t, 200).decode(t, &next)
			return next.Job != nil
		})
		w.call(t, "POST", url+"/results",
			`{"job_id":"`+j.ID+`","node_id":"`+node.ID+`","status":"failed","error":"exit status 1"}`).
			want(t, 200)
	}
	s.must(s.Stop(s.soon()))
	count := map[string]int{}
	for _, m := range s.Masters() {
		for _, r := range records(t, s.logOf(m.Name())) {
			count[r.Message]++
		}
	}
	for _, want := range []string{
		"job " + j.ID + " failed on node " + node.ID + " (attempt 1/3) - re-queued for retry",
		"job " + j.ID + " failed on node " + node.ID + " (attempt 2/3) - re-queued for retry",
		"job " + j.ID + " failed after 3 attempts - max retries reached",
	} {
		if count[want] != 1 {
			t.Errorf("got %d log lines, want one: %s", count[want], want)
		}
	}
}
