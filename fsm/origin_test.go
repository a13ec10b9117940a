package fsm

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A job keeps its origin over a restart, and its node gets it.
func TestOrigin_Persistence(t *testing.T) {
	c := newCluster(t)
	origin := ffrtmp.Origin{
		RequestID:   "request-1",
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	seq := c.submit(func(s *ffrtmp.Spec) { s.Origin = origin })
	plain := c.submit()
	c.reopen()
	jobs, err := c.fsm.Claims(c.claim(c.register("a"), 2))
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
