package fsm

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// TestAJobKeepsTheRequestThatBroughtIt: over a restart, to the node that claims it.
func TestAJobKeepsTheRequestThatBroughtIt(t *testing.T) {
	c := newCluster(t)
	origin := ffrtmp.Origin{RequestID: "request-1", Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	seq := c.submit(func(s *ffrtmp.Spec) { s.Origin = origin })
	plain := c.submit()
	c.reopen()
	jobs, err := c.fsm.Claims(t.Context(), c.claim(c.register("a"), 2))
	if err != nil || len(jobs) != 2 {
		t.Fatalf("claimed %v, %v", jobs, err)
	}
	if jobs[0].SequenceNumber != seq || jobs[0].Origin != origin {
		t.Errorf("claimed %+v", jobs[0])
	}
	if got := c.job(plain).Origin; got != (ffrtmp.Origin{}) {
		t.Errorf("a job that nothing is known of has the origin %+v", got)
	}
}

// TestOriginsWaitForTheLastUpgrade: a voter that does not know version 2 of a submission
// would halt on it.
func TestOriginsWaitForTheLastUpgrade(t *testing.T) {
	c := newCluster(t)
	level := levelOrigin - 1
	c.Proposer.opts.Level = func() int { return level }
	submit := func() uint64 {
		seq := c.submit(func(s *ffrtmp.Spec) { s.Origin.RequestID = "request-1" })
		list, err := decodeEntry(c.entries[len(c.entries)-1].Data)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.job(seq).RequestID != ""; got != (list[0].command.version() == 2) {
			t.Errorf("level %d: version %d, and the origin is kept: %v", level, list[0].command.version(), got)
		}
		return list[0].command.version()
	}
	if v := submit(); v != 1 {
		t.Errorf("version %d is proposed while a voter knows 1", v)
	}
	level = levelOrigin
	if v := submit(); v != 2 {
		t.Errorf("version %d is proposed when all know 2", v)
	}
}

// TestJobsFromBeforeHaveNoOrigin opens a database that migration 0004 has not seen.
func TestJobsFromBeforeHaveNoOrigin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "master.db")
	w, err := openWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range migrationNames() {
		if name == "0004_trace.sql" {
			break
		}
		text, err := migrations.ReadFile("migrations/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.run(fmt.Sprintf("%s; PRAGMA user_version = %d", text, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.run(`INSERT INTO job_spec (seq, id, scenario, confidence, engine, classification, requires, timeout, created_at)
	VALUES (1, '` + numbered(1) + `', '720p', '', 'auto', '', '', 0, 1);
INSERT INTO job_state (seq, status, queue, priority, max_retries) VALUES (1, 0, 1, 1, 3)`); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	s, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	j, err := s.job(context.Background(), 1)
	if err != nil || j.ID != numbered(1) || j.Origin != (ffrtmp.Origin{}) {
		t.Errorf("%+v, %v", j, err)
	}
}
