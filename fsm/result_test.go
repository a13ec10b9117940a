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

// TestResult_OldNodesNeedNoLeaseButNotAWrongOne: neither attempt nor lease is asked of a
// node of v2.2, which knows of neither.
func TestResult_OldNodesNeedNoLeaseButNotAWrongOne(t *testing.T) {
	c := newCluster(t)
	node := c.register("old", func(r *job.Registration) { r.NodeID = "" })
	seq := c.submit()
	a := c.claimOne(node)
	for _, wrong := range []string{"wrong", "00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"} {
		for _, attempt := range []int{0, 1} {
			_, err := c.result(node, a, job.ResultCompleted, func(r *job.Result) { r.Attempt, r.Lease = attempt, wrong })
			wantCode(t, err, job.StaleAttempt)
		}
	}
	_, err := c.result(node, a, job.ResultCompleted, func(r *job.Result) { r.Attempt, r.Lease = 2, "" })
	wantCode(t, err, job.StaleAttempt)
	if j := c.job(seq); j.Status != job.Running {
		t.Fatalf("job is %s", j.Status)
	}
	c.mustResult(node, a, job.ResultCompleted, func(r *job.Result) { r.Attempt, r.Lease = 0, "" })
	if j := c.job(seq); j.Status != job.Completed {
		t.Fatalf("job is %s", j.Status)
	}
}
