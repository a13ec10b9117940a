package v22

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

var update = flag.Bool("update", false, "write the golden file")

// make makes a database out of SQL.
func makeDatabase(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master #1.db")
	db, err := sql.Open("sqlite", sqlitedsn.File(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatal(err)
	}
	return path
}

func fixture(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("testdata/v22.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

func open(t *testing.T, path string) *Database {
	t.Helper()
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, d)
	return d
}

// TestDatabase_Golden holds what each row becomes, and that masters would take exactly
// those that are said to be good.
func TestDatabase_Golden(t *testing.T) {
	path := makeDatabase(t, fixture(t))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", " ")
	show := func(what string, v any, fault, invalid error) {
		t.Helper()
		row := map[string]any{"was": what}
		switch {
		case fault != nil:
			row["fault"] = fault.Error()
		case invalid != nil:
			row["invalid"] = invalid.Error()
		default:
			row["becomes"] = v
		}
		if err := enc.Encode(row); err != nil {
			t.Fatal(err)
		}
	}
	for n, err := range d.Nodes(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		show(n.ID+" "+n.Status, n.Node, n.Err, n.Node.Validate())
	}
	for j, err := range d.Jobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		show(j.ID+" "+j.Status, &j.Job, j.Err, j.Job.Validate())
	}
	const golden = "testdata/v22.json"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-want +got, -update writes it:\n%s", diff)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed, or %v", err)
	}
	if beside, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(beside) != 1 {
		t.Errorf("%v lie there now, %v", beside, err)
	}
}

// TestOpen_WAL is read too.
func TestOpen_WAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.db")
	master, err := sql.Open("sqlite", sqlitedsn.File(path, "_pragma=journal_mode(wal)"))
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	if _, err := master.ExecContext(t.Context(), fixture(t)); err != nil {
		t.Fatal(err)
	}
	if n := len(jobsOf(t, open(t, path))); n != 30 {
		t.Errorf("%d jobs", n)
	}
}

func jobsOf(t *testing.T, d *Database) []Job {
	t.Helper()
	var list []Job
	for j, err := range d.Jobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, j)
	}
	return list
}

// A database of an older v2.2 lacks columns that later ones add.
func TestOpen_Older(t *testing.T) {
	d := open(t, makeDatabase(t, `CREATE TABLE jobs (id TEXT PRIMARY KEY, scenario TEXT, parameters TEXT, status TEXT,
	created_at DATETIME, retry_count INTEGER);
CREATE TABLE nodes (id TEXT PRIMARY KEY, address TEXT, type TEXT, cpu_threads INTEGER, cpu_model TEXT, has_gpu BOOLEAN,
	ram_total_bytes INTEGER, labels TEXT, status TEXT, last_heartbeat DATETIME, registered_at DATETIME);
INSERT INTO jobs VALUES ('a0000000-0000-4000-8000-000000000001', '720p', '{}', 'pending',
	'2026-11-22 07:03:35+00:00', 0)`))
	list := jobsOf(t, d)
	if len(list) != 1 || list[0].Err != nil || list[0].Job.Validate() != nil || list[0].Job.MaxRetries != nil ||
		list[0].Job.Labels[SequenceLabel] != noSequence {
		t.Errorf("%+v", list)
	}
}

// The tables of a v2.2 master's PostgreSQL database, exported as the migration guide says, are text.
func TestOpen_Exported(t *testing.T) {
	d := open(t, makeDatabase(t, `CREATE TABLE jobs (id TEXT, sequence_number TEXT, tenant_id TEXT, scenario TEXT,
	parameters TEXT, status TEXT, created_at TEXT, started_at TEXT, retry_count TEXT, max_retries TEXT);
CREATE TABLE nodes (id TEXT, name TEXT, tenant_id TEXT, address TEXT, type TEXT, cpu_threads TEXT, cpu_model TEXT,
	has_gpu TEXT, gpu_type TEXT, gpu_capabilities TEXT, ram_total_bytes TEXT, labels TEXT, status TEXT,
	last_heartbeat TEXT, registered_at TEXT);
INSERT INTO jobs VALUES
	('a0000000-0000-4000-8000-000000000010', '10', '', '720p', '{"bitrate": "2M"}', 'pending',
	 '2026-11-22 07:03:35.05395', '', '0', '3'),
	('a0000000-0000-4000-8000-000000000009', '9', '', '720p', '', 'pending', '2026-11-22 07:03:35', '', '0', '');
INSERT INTO nodes VALUES ('c0000000-0000-4000-8000-000000000001', 'enc-01', '', 'enc-01', 'server', '32', 'EPYC', 't',
	'NVIDIA T4', '["h264_nvenc"]', '68719476736', '{"os": "linux"}', 'busy', '2026-11-22 07:03:34.912627',
	'2026-11-22 07:03:34.912627')`))
	var numbers []uint64
	for _, j := range jobsOf(t, d) {
		if err := j.Job.Validate(); j.Err != nil || err != nil {
			t.Errorf("job %d: %v, %v", j.Sequence, j.Err, err)
		}
		numbers = append(numbers, j.Sequence)
	}
	if !slices.Equal(numbers, []uint64{9, 10}) {
		t.Errorf("got jobs %v, want 9 and 10", numbers)
	}
	for n, err := range d.Nodes(t.Context()) {
		if err != nil || n.Err != nil || n.Node.Validate() != nil || !n.Node.HasGPU || n.Node.CPUThreads != 32 {
			t.Errorf("got node %+v, %v, want one with a GPU and 32 threads", n, err)
		}
	}
}

// Other files are refused.
func TestOpen_Refuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := makeDatabase(t, `CREATE TABLE job_spec (seq INTEGER); CREATE VIEW jobs AS SELECT * FROM job_spec;
CREATE VIEW nodes AS SELECT * FROM job_spec`)
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		dir:                        "is a directory",
		text:                       "not a database",
		ours:                       "not the database of a v2.2 master: no table jobs",
	} {
		if d, err := Open(context.Background(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v %v, want %q", path, d, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a file was made")
	}
}

// TestDatabase_Statuses has no status of v2.2 without one of ours.
func TestDatabase_Statuses(t *testing.T) {
	seen := map[string]ffrtmp.Status{}
	for _, j := range jobsOf(t, open(t, makeDatabase(t, fixture(t)))) {
		seen[j.Status] = j.Job.Status
	}
	for status, want := range statuses {
		if got, ok := seen[status]; !ok || got != want {
			t.Errorf("%s becomes %q in the test data, want %q", status, got, want)
		}
	}
}

// A job whose number cannot be kept comes last, so that its new number is no other job's.
func TestJobs_UnusableNumbersLast(t *testing.T) {
	d := open(t, makeDatabase(t, fixture(t)))
	var got []uint64
	for j, err := range d.Jobs(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if j.Err == nil {
			got = append(got, j.Sequence)
		}
	}
	first := slices.Index(got, 0)
	if first < 0 || slices.ContainsFunc(got[first:], func(n uint64) bool { return n != 0 }) {
		t.Errorf("got numbers %v, want each 0 last", got)
	}
}

// A long log or error is shortened as an agent's is, and does not make the job too large to import.
func TestJob_LongTexts(t *testing.T) {
	long := strings.Repeat("frame=1\n", 1<<20)
	j, err := record{
		"id": "a0000000-0000-4000-8000-000000000001", "scenario": "720p", "status": "failed", "logs": long,
		"error": long, "retry_reason": long, "created_at": "2026-11-22 07:03:35+00:00",
		"state_transitions": `[{"to":"assigned","timestamp":"2026-11-22T07:05:00Z"},
			{"to":"failed","timestamp":"2026-11-22T07:06:00Z","reason":` + jsonOf(t, long) + `},
			{"to":"assigned","timestamp":"2026-11-22T07:07:00Z"}]`,
	}.job()
	if err == nil {
		err = j.Validate()
	}
	if err != nil {
		t.Fatal(err)
	}
	const limit = ffrtmp.MaxLogBytes + 64<<10
	if size := len(jsonOf(t, &j)); size > 2*limit { // JSON escapes line ends
		t.Errorf("got %d bytes, want at most %d", size, 2*limit)
	}
	if want := ffrtmp.LogTail(long); j.Logs != want || j.Error == "" || j.EarlierAttempts[0].Error == "" {
		t.Errorf("got a log of %d bytes, error %q, want the end of the log and the start of the errors", len(j.Logs),
			j.Error)
	}
}
