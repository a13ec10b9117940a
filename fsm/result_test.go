package fsm

import (
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

func TestResult_Completed(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	a := c.claimOne(node)
	if j := c.job(seq); j.Status != ffrtmp.Running || j.Attempt != 1 || j.NodeName != "a" || !j.StartedAt.Equal(c.now) {
		t.Fatalf("got %+v, want the running first attempt", j)
	}
	c.mustResult(node, a, ffrtmp.ResultPublishing)
	if j := c.job(seq); j.Status != ffrtmp.Running || j.ProgressDetail == nil ||
		j.ProgressDetail.Phase != ffrtmp.PublishingPhase {
		t.Fatalf("got %+v, want a running job in phase publishing", j)
	}
	c.mustResult(node, a, ffrtmp.ResultCompleted, func(r *ffrtmp.Result) {
		r.Output, r.Logs = &ffrtmp.Output{Path: "out.mp4", SizeBytes: 7}, "frame=1"
		r.Warnings = []string{"damaged"}
	})
	j := c.job(seq)
	if j.Status != ffrtmp.Completed || j.Progress != 100 || j.Logs != "frame=1" || j.Output == nil ||
		j.Output.Path != "out.mp4" || !slices.Equal(j.Warnings, []string{"damaged"}) || !j.CompletedAt.Equal(c.now) {
		t.Fatalf("got %+v, want a completed job", j)
	}
	if len(j.Attempts) != 1 || j.Attempts[0].Outcome != ffrtmp.AttemptCompleted {
		t.Fatalf("got attempts %+v, want one completed", j.Attempts)
	}
}
