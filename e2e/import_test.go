package e2e

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// An import survives a killed leader; repeating it adds nothing.
func TestImport_ThroughFailover(t *testing.T) {
	const completed, waiting = 3000, 2000
	path := filepath.Join(t.TempDir(), "master.db")
	db, err := sql.Open("sqlite", sqlitedsn.File(path))
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../internal/v22/testdata/v22.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), string(script)+`DELETE FROM jobs; DELETE FROM nodes WHERE id = 'enc-03';
INSERT INTO jobs (sequence_number, id, scenario, status, node_id, created_at, started_at, completed_at, logs)
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
SELECT i, printf('b0000000-0000-4000-8000-%012d', i), '720p60-h264', iif(i <= 3000, 'completed', 'pending'),
	iif(i <= 3000, 'c0000000-0000-4000-8000-000000000001', NULL), '2026-11-22 07:03:35+00:00',
	iif(i <= 3000, '2026-11-22 07:03:36+00:00', NULL), iif(i <= 3000, '2026-11-22 07:03:37+00:00', NULL),
	iif(i <= 3000, 'frame=  300', NULL) FROM n`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	env := s.environment()
	leader, w := s.leader(), s.wire()
	follower := s.Master(s.follower())
	jobs := func(query string) (list ffrtmp.List) {
		t.Helper()
		w.call(t, http.MethodGet, follower.URL()+"/jobs?"+query, "").want(t, http.StatusOK).decode(t, &list)
		return list
	}
	importing := func() *program {
		return launch(t, t.TempDir(), env, "ffrtmp", "import", "--from", path, "--output", "json")
	}

	first := importing()
	s.eventually("some jobs are imported", func() bool { return jobs("limit=1").Count > 0 })
	s.Master(leader).Kill()
	if status := first.status(t); status != 0 {
		t.Fatalf("got status %d, want 0:\n%s", status, first.output)
	}
	report := func(p *program) (r struct{ Imported, Exist, Refused, Renumbered int }) {
		t.Helper()
		if err := json.Unmarshal([]byte(p.output.String()), &r); err != nil {
			t.Fatalf("%v: %s", err, p.output)
		}
		return r
	}
	if r := report(first); r.Imported != completed+waiting+2 || r.Exist+r.Refused+r.Renumbered != 0 {
		t.Errorf("first import: got %+v, want everything imported", r)
	}
	again := importing()
	if status, r := again.status(t), report(again); status != 0 || r.Imported != 0 || r.Exist != completed+waiting+2 {
		t.Errorf("second import: got status %d, %+v, want everything known", status, r)
	}

	list := jobs("order=asc&limit=10000")
	if list.Count != completed+waiting {
		t.Fatalf("got %d jobs, want %d", list.Count, completed+waiting)
	}
	for i, j := range list.Jobs {
		want := ffrtmp.Pending
		if i < completed {
			want = ffrtmp.Completed
		}
		if j.SequenceNumber != uint64(i+1) || j.Status != want {
			t.Fatalf("got job %d, %s, want job %d, %s", j.SequenceNumber, j.Status, i+1, want)
		}
	}
	// A follower lags behind the leader.
	s.eventually("the metrics count every job once", func() bool {
		metrics := string(w.call(t, http.MethodGet, follower.MetricsURL()+"/metrics", "").want(t, http.StatusOK).body)
		for _, line := range []string{
			"ffmpeg_master_jobs_total 5000",
			`ffmpeg_master_jobs_by_status{status="completed"} 3000`,
			`ffmpeg_master_nodes_by_status{status="offline"} 2`,
		} {
			if !strings.Contains(metrics, line+"\n") {
				return false
			}
		}
		return true
	})
}
