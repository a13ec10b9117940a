package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// v22Database makes the database of a v2.2 master, changed by some more SQL.
func v22Database(t *testing.T, change string) string {
	t.Helper()
	script, err := os.ReadFile("../../internal/v22/testdata/v22.sql")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "master.db")
	db, err := sql.Open("sqlite", sqlitedsn.File(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), string(script)+change); err != nil {
		t.Fatal(err)
	}
	return path
}

// importing makes the master import like a real one: valid rows only, each once. next is the number of its next job.
func (m *fakeMaster) importing(t *testing.T, next uint64) {
	known := map[string]uint64{}
	m.handle("POST /import", func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		body := m.requests[len(m.requests)-1].body
		m.mu.Unlock()
		var batch ffrtmp.Import
		if err := json.Unmarshal([]byte(body), &batch); err != nil {
			t.Error(err)
		}
		answer := ffrtmp.ImportAnswer{DryRun: r.URL.Query().Get("dry_run") == "true"}
		result := func(id string, wish uint64, err error) ffrtmp.ImportResult {
			if err != nil {
				var e *ffrtmp.Error
				if !errors.As(err, &e) {
					t.Errorf("got error %v, want an *ffrtmp.Error", err)
				}
				return ffrtmp.ImportResult{ID: id, Outcome: ffrtmp.ImportRefused, Error: e.Error(), Field: e.Field}
			}
			if seq, ok := known[id]; ok {
				return ffrtmp.ImportResult{ID: id, Outcome: ffrtmp.ImportExists, SequenceNumber: seq}
			}
			seq := max(next, wish)
			switch {
			case answer.DryRun:
				seq = 0
			case wish == 0: // a node
				known[id], seq = 0, 0
			default:
				known[id], next = seq, seq+1
			}
			return ffrtmp.ImportResult{ID: id, Outcome: ffrtmp.ImportTaken, SequenceNumber: seq}
		}
		for _, n := range batch.Nodes {
			answer.Nodes = append(answer.Nodes, result(n.ID, 0, n.Validate()))
		}
		for _, j := range batch.Jobs {
			answer.Jobs = append(answer.Jobs, result(j.ID, max(j.SequenceNumber, 1), j.Validate()))
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	})
}

// Valid rows are imported; refused ones are reported with their reason.
func TestImport_Report(t *testing.T) {
	m := newFakeMaster(t)
	m.importing(t, 1)
	path := v22Database(t, "")
	run := func(name string, args ...string) {
		t.Helper()
		args = append([]string{"import", "--from", path}, args...)
		r := m.run(t, args...)
		if r.code != exitFailed || !strings.Contains(r.err, "10 rows refused") {
			t.Errorf("%s: got code %d, %s, want %d and 10 refused rows", name, r.code, r.err, exitFailed)
		}
		golden(t, name, strings.ReplaceAll(r.out, path, "master.db"))
	}
	run("import-dry-run.txt", "--dry-run")
	run("import-dry-run.json", "--dry-run", "--output", "json")
	run("import.txt")
	run("import-again.txt")
	run("import-again.json", "--output", "json")
}

// Result files beside the database become metrics of the attempts that they are about.
func TestImport_Results(t *testing.T) {
	m := newFakeMaster(t)
	m.importing(t, 1)
	path := v22Database(t, "")
	dir := filepath.Join(filepath.Dir(path), "test_results")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// Job 30 of the test data, and one that is not there.
	file := `{"scenarios":[
		{"name":"720p","encoder_type":"auto","start_time":1795331015,"end_time":1795331280,
			"duration":60,"vmaf_score":92.5},
		{"name":"other","encoder_type":"auto","start_time":1795331015,"duration":1}]}`
	if err := os.WriteFile(filepath.Join(dir, "test_results_1.json"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"import", "--from", path},
		{"import", "--from", path, "--results", dir},
		{"import", "--from", path, "--results", t.TempDir()},
	} {
		r := m.run(t, args...)
		want := "1 of 2 results became metrics of an attempt."
		if len(args) > 3 && args[4] != dir {
			want = ""
		}
		if !strings.Contains(r.out, want) || want == "" && strings.Contains(r.out, "metrics") {
			t.Errorf("%v: got %s, %s, want %q", args, r.out, r.err, want)
		}
	}
	if sent := m.seen("POST /import"); !strings.Contains(sent[1].body, `"metrics":{"duration":60,"vmaf_score":92.5}`) {
		t.Errorf("got %s, want the metrics of job 30", sent[1].body)
	}
	if err := os.WriteFile(filepath.Join(dir, "test_results_2.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := m.run(t, "import", "--from", path)
	if r.code != exitFailed || !strings.Contains(r.err, "test_results_2.json") {
		t.Errorf("broken file: got code %d, %s, want an error that names it", r.code, r.err)
	}
}

// A large database is imported in batches, and its jobs name their nodes.
func TestImport_Complete(t *testing.T) {
	m := newFakeMaster(t)
	m.importing(t, 5)
	good := v22Database(t, `DELETE FROM nodes WHERE id = 'enc-03';
DELETE FROM jobs WHERE sequence_number >= 20 OR sequence_number < 1;
INSERT INTO jobs (sequence_number, id, scenario, status,
	created_at) WITH RECURSIVE n(i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < 1300)
SELECT i, printf('b0000000-0000-4000-8000-%012d', i), '720p', 'pending', '2026-11-22 07:03:35+00:00' FROM n`)
	r := m.run(t, "import", "--from", good)
	if r.code != exitDone || r.err != "" {
		t.Fatalf("got code %d, %s, want %d", r.code, r.err, exitDone)
	}
	mustContain(t, "the report", r.out, "1215 rows imported, 0 existing, 0 refused.", "12 jobs got a new number",
		"--label v22-sequence=NUMBER")
	if n := len(m.seen("POST /import")); n != 4 { // the nodes, and 1213 jobs by 500
		t.Errorf("got %d requests, want 4", n)
	}
	// A job names its node as it is called here.
	if !strings.Contains(m.seen("POST /import")[1].body, `"node_id":"c0000000-0000-4000-8000-000000000001"`) {
		t.Error("got no job with the id of its node, want one")
	}
}

// An import that cannot run or finish fails with the reason.
func TestImport_Refused(t *testing.T) {
	m := newFakeMaster(t)
	path := v22Database(t, "")
	m.handle("POST /import", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, ffrtmp.Forbidden, "this key may not import")
	})
	r := m.run(t, "import", "--from", path)
	if r.code != exitFailed {
		t.Errorf("got code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "repeat it to import the rest", "this key may not import")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import"}, exitUsage, "--from is missing"},
		{[]string{"import", "--from", path, "more"}, exitUsage, "unexpected argument"},
		{[]string{"import", "--from", path + ".none"}, exitFailed, "no such file"},
	} {
		r := m.run(t, c.args...)
		if r.code != c.code || !strings.Contains(r.err, c.want) {
			t.Errorf("%q: got code %d, %s, want %d, %q", c.args, r.code, r.err, c.code, c.want)
		}
	}
}
