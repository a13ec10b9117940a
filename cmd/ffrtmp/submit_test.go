package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
)

// Flags and files become the body of the submission.
func TestSubmit_Body(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("POST /jobs", http.StatusCreated, ffrtmp.Job{ID: jobID, SequenceNumber: 12, Status: ffrtmp.Pending})
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{
			"v2.2's line",
			[]string{"--scenario", "4K60-h264", "--confidence", "auto", "--duration", "60", "--bitrate", "10M"},
			"",
			`{"scenario":"4K60-h264","confidence":"auto","engine":"auto","parameters":{"bitrate":"10M","duration":60}}`,
		},
		{
			"files",
			[]string{
				"--scenario=720p30", "--input", "in.mov", "--output-file", "out.mp4", "--output", "json", "--duration",
				"1m30s", "--overwrite",
			},
			"",
			`{"scenario":"720p30","confidence":"auto","engine":"auto",
			  "parameters":{"duration":90,"input":"in.mov","output":"out.mp4","overwrite":true}}`,
		},
		{
			"where and when",
			[]string{
				"--scenario", "720p", "--queue", "batch", "--priority", "low", "--label", "a=1,b=2", "--label", "c=x=y",
				"--max-retries", "0", "--requires-label", "zone=b", "--gpu",
			},
			"",
			`{"scenario":"720p","confidence":"auto","engine":"auto",
			  "queue":"batch","priority":"low","labels":{"a":"1","b":"2","c":"x=y"},
			  "requires":{"gpu":true,"labels":{"zone":"b"}},"max_retries":0}`,
		},
		{
			"any parameter",
			[]string{
				"--scenario", "720p", "--param", `resource_limits={"timeout_sec":5}`, "--param", "codec=libx264",
				"--fps",
				"29.97", "--threads", "2", "--crf", "20", "--param", "gop_seconds=2",
			},
			"",
			`{"scenario":"720p","confidence":"auto","engine":"auto",
			  "parameters":{"codec":"libx264","crf":20,"fps":29.97,"gop_seconds":2,
			    "resource_limits":{"timeout_sec":5},"threads":2}}`,
		},
		{
			"a stream",
			[]string{"--scenario", "720p", "--rtmp-url", "rtmp://x/live", "--stream-key-file", key},
			"",
			`{"scenario":"720p","confidence":"auto","engine":"auto",
			  "parameters":{"rtmp_url":"rtmp://x/live","stream_key":"s3cret"}}`,
		},
		{
			"standard input",
			[]string{"--file", "-"},
			`{"scenario":"1080p","queue":"live"}`,
			`{"scenario":"1080p","queue":"live"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := invoke(t, m.env(), c.stdin,
				append([]string{"jobs", "submit", "--idempotency-key", "k-1"}, c.args...)...)
			if r.code != exitDone {
				t.Fatalf("got exit code %d, want %d: %s", r.code, exitDone, r.err)
			}
			seen := m.seen("POST /jobs")
			last := seen[len(seen)-1]
			if last.idempotency != "k-1" {
				t.Errorf("got idempotency key %q, want k-1", last.idempotency)
			}
			if diff := cmp.Diff(parse(t, c.want), parse(t, last.body)); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func parse(t *testing.T, document string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(document), &v); err != nil {
		t.Fatalf("got %s, want JSON: %v", document, err)
	}
	return v
}

// A file with several jobs is submitted as one batch.
func TestSubmit_Batch(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("POST /jobs/batch", http.StatusCreated,
		ffrtmp.Submitted{
			Jobs:  []ffrtmp.SubmittedJob{{ID: "a", SequenceNumber: 4}, {ID: "b", SequenceNumber: 5}},
			Count: 2,
		})
	file := filepath.Join(t.TempDir(), "jobs.json")
	if err := os.WriteFile(file, []byte(`{"jobs":[{"scenario":"720p"},{"scenario":"480p","priority":"high"}]}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	r := m.run(t, "jobs", "submit", "--file", file)
	if r.code != exitDone || r.out != "2 jobs submitted: 4 to 5.\n" {
		t.Errorf("got code %d, %q, %q, want %d and jobs 4 to 5", r.code, r.out, r.err, exitDone)
	}
	if seen := m.seen("POST /jobs/batch"); len(seen) != 1 ||
		cmp.Diff(parse(t, seen[0].body),
			parse(t, `{"jobs":[{"scenario":"720p"},{"scenario":"480p","priority":"high"}]}`)) != "" {
		t.Errorf("got requests %v, want one with both jobs", seen)
	}
	for name, c := range map[string]struct{ body, want string }{
		"bad job":     {`{"jobs":[{"scenario":"720p"},{"scenario":"9K"}]}`, "job 2: scenario"},
		"wrong type":  {`{"jobs":[{"scenario":1}]}`, "job 1: scenario: must be a string, not number"},
		"empty batch": {`{"jobs":[]}`, "must hold 1 to 10000 jobs"},
		"no JSON":     {`scenario: 720p`, "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			r := invoke(t, m.env(), c.body, "jobs", "submit", "--file", "-")
			if r.code != exitUsage {
				t.Errorf("got exit code %d, want %d", r.code, exitUsage)
			}
			mustContain(t, "the error", r.err, c.want)
		})
	}
}

// --all reads every page with the same filters.
func TestJobsList_All(t *testing.T) {
	m := newFakeMaster(t)
	node := ffrtmp.Node{ID: "n", Machine: ffrtmp.Machine{Name: "agent-1"}}
	m.answer("GET /nodes", http.StatusOK, ffrtmp.NodeList{Nodes: []ffrtmp.Node{node}})
	m.handle("GET /jobs", func(w http.ResponseWriter, r *http.Request) {
		page := ffrtmp.List{Jobs: []ffrtmp.Job{{SequenceNumber: 2}}, Count: 1, NextCursor: "2"}
		if r.URL.Query().Get("cursor") == "2" {
			page = ffrtmp.List{Jobs: []ffrtmp.Job{{SequenceNumber: 1}}, Count: 1}
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	r := m.run(t, "jobs", "list", "--all", "--status", "failed", "--queue", "batch", "--label", "a=b", "--node",
		"agent-1", "--scenario", "720p", "--priority", "low", "--order", "asc", "-o", "json")
	var list ffrtmp.List
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || list.Count != 2 || len(list.Jobs) != 2 ||
		list.NextCursor != "" {
		t.Errorf("got %q, %q (%v), want 2 jobs in one list", r.out, r.err, err)
	}
	const filters = "label=a%3Db&limit=10000&node_id=n&order=asc&priority=low&queue=batch&scenario=720p&status=failed"
	if seen := m.seen("GET /jobs"); len(seen) != 2 || seen[0].query != filters || seen[1].query != "cursor=2&"+filters {
		t.Errorf("got requests %v, want two pages with the filters", seen)
	}
}

// A page of the master may be short: more pages are requested until there are enough jobs or no cursor.
func TestJobsList_ShortPages(t *testing.T) {
	m := newFakeMaster(t)
	m.handle("GET /jobs", func(w http.ResponseWriter, r *http.Request) {
		pages := map[string]ffrtmp.List{
			"":  {NextCursor: "9"},
			"9": {Jobs: []ffrtmp.Job{{SequenceNumber: 8}}, Count: 1, NextCursor: "5"},
			"5": {Jobs: []ffrtmp.Job{{SequenceNumber: 4}}, Count: 1, NextCursor: "4"},
		}
		if err := json.NewEncoder(w).Encode(pages[r.URL.Query().Get("cursor")]); err != nil {
			t.Error(err)
		}
	})
	r := m.run(t, "jobs", "list", "--limit", "2", "--status", "failed,canceled", "--q", "film", "--sort", "progress",
		"--created-after", "2026-01-02", "--created-before", "2026-02-03T04:05:06Z", "-o", "json")
	var list ffrtmp.List
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || list.Count != 2 || len(list.Jobs) != 2 ||
		list.NextCursor != "4" {
		t.Errorf("got %v: %q %q, want two jobs and the cursor 4", err, r.out, r.err)
	}
	const filters = "q=film&sort=progress&status=failed%2Ccanceled"
	const created = "created_after=2026-01-02T00%3A00%3A00Z&created_before=2026-02-03T04%3A05%3A06Z"
	want := []string{
		created + "&limit=2&" + filters, created + "&cursor=9&limit=2&" + filters,
		created + "&cursor=5&limit=1&" + filters,
	}
	var got []string
	for _, seen := range m.seen("GET /jobs") {
		got = append(got, seen.query)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got queries %q, want %q", got, want)
	}
}
