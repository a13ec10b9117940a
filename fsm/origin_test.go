package fsm

import (
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
