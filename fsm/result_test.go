package fsm

import (
	"testing"

	"ffrtmp/job"
)

func TestResult_CompletesAJob(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	a := c.claimOne(node)
	if j := c.job(seq); j.Status != job.Running || j.Attempt != 1 || j.NodeName != "a" || !j.StartedAt.Equal(c.now) {
		t.Fatalf("%+v", j)
	}
	c.mustResult(node, a, job.ResultPublishing)
	if j := c.job(seq); j.Status != job.Running || j.ProgressDetail == nil || j.ProgressDetail.Phase != job.PublishingPhase {
		t.Fatalf("%+v", j)
	}
	c.mustResult(node, a, job.ResultCompleted, func(r *job.Result) {
		r.Output, r.Logs = &job.Output{Path: "out.mp4", SizeBytes: 7}, "frame=1"
	})
	j := c.job(seq)
	if j.Status != job.Completed || j.Progress != 100 || j.Logs != "frame=1" || j.Output == nil || j.Output.Path != "out.mp4" || !j.CompletedAt.Equal(c.now) {
		t.Fatalf("%+v", j)
	}
	if len(j.Attempts) != 1 || j.Attempts[0].Outcome != job.AttemptCompleted {
		t.Fatalf("%+v", j.Attempts)
	}
}
