package e2e

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The lines on the database in v2.2's guides, as they stand: beside a running master, a stopped one, and for a reset.
func TestSeeds_Database(t *testing.T) {
	dir := t.TempDir()
	line := func(text string) string {
		t.Helper()
		cmd := exec.Command("sh", "-ec", text)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", text, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	want := func(text, want string) {
		t.Helper()
		if got := line(text); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	var m *single
	jobs := func() int {
		t.Helper()
		var list ffrtmp.List
		m.call(t, "GET", m.url+"/jobs", "").want(t, 200).decode(t, &list)
		return list.Count
	}
	stop := func() {
		t.Helper()
		if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		m.status(t)
	}

	m = launchMaster(t, dir, "--db", "data/master.db")
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"4K60-h264"}`).want(t, 201)
	line(`sqlite3 data/master.db ".backup data/master-backup.db"`)
	want(`echo "PRAGMA journal_mode=WAL;" | sqlite3 data/master.db`, "wal")
	want(`echo "PRAGMA synchronous=NORMAL;" | sqlite3 data/master.db`, "")
	want(`sqlite3 data/master.db 'PRAGMA integrity_check;'`, "ok")
	want(`sqlite3 data/master.db 'VACUUM;'`, "")
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p"}`).want(t, 201)
	const persisted = ` 'SELECT sequence_number, scenario, status, retry_count FROM jobs'`
	want("sqlite3 data/master-backup.db"+persisted, "1|4K60-h264|pending|0")
	want("sqlite3 data/master.db"+persisted, "1|4K60-h264|pending|0\n2|720p|pending|0")
	want(`sqlite3 data/master.db 'SELECT count(*) FROM nodes'`, "0")

	stop()
	line(`cp data/master.db data/master-$(date +%Y%m%d).db`)
	want("sqlite3 data/master-2*.db"+persisted, "1|4K60-h264|pending|0\n2|720p|pending|0")
	line("rm data/master.db")
	m = launchMaster(t, dir, "--db", "data/master.db")
	if got := jobs(); got != 2 {
		t.Errorf("after rm master.db: got %d jobs, want 2 from the log", got)
	}
	stop()
	line("rm -r data/master.db data/master.raft")
	m = launchMaster(t, dir, "--db", "data/master.db")
	if got := jobs(); got != 0 {
		t.Errorf("after rm of both: got %d jobs, want 0", got)
	}
}

// With --max-retries 0 the first failure is final.
func TestSeeds_NoRetries(t *testing.T) {
	m := launchMaster(t, t.TempDir(), "--db", "", "--tls=false", "--max-retries", "0")
	var node ffrtmp.Node
	m.call(t, "POST", m.url+"/nodes/register",
		`{"address":"enc-01","type":"server","cpu_threads":8,"cpu_model":"cpu","ram_total_bytes":1024}`).
		want(t, 201).decode(t, &node)
	var j ffrtmp.Job
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p30-h264"}`).want(t, 201).decode(t, &j)
	m.call(t, "GET", m.url+"/jobs/next?node_id="+node.ID, "").want(t, 200)
	m.call(t, "POST", m.url+"/results",
		`{"job_id":"`+j.ID+`","node_id":"`+node.ID+`","status":"failed","error":"exit status 1"}`).want(t, 200)
	m.call(t, "GET", m.url+"/jobs/"+j.ID, "").want(t, 200).decode(t, &j)
	if j.Status != ffrtmp.Failed || j.RetryCount != 0 || j.Attempt != 1 {
		t.Errorf("got job %s after %d retries and %d attempts, want failed after one attempt", j.Status, j.RetryCount,
			j.Attempt)
	}
}
