package fsm

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// All masters export the same counts, whether they lead or not.
func TestMetrics_Replicas(t *testing.T) {
	open := func() (*cluster, *prometheus.Registry) {
		dir, registry := t.TempDir(), prometheus.NewRegistry()
		return openCluster(t, Options{
			Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "raft"),
			Registerer: registry,
		}), registry
	}
	leader, ours := open()
	follower, theirs := open()

	node := leader.register("a")
	leader.submit()
	leader.submit()
	leader.after(2 * time.Second)
	first := leader.claimOne(node) // waited 2 s
	leader.after(10 * time.Second)
	leader.mustResult(node, first, ffrtmp.ResultPublishing)
	leader.after(time.Second)
	leader.mustResult(node, first, ffrtmp.ResultCompleted) // ran 11 s
	leader.mustResult(node, first, ffrtmp.ResultCompleted) // repeated
	second := leader.claimOne(node)                        // waited 13 s
	leader.after(5 * time.Second)
	if _, _, err := leader.Expire(t.Context(), []store.AttemptID{{
		Seq:     second.Seq,
		Attempt: second.Attempt,
	}}); err != nil { // not a run
		t.Fatal(err)
	}
	third := leader.claimOne(node) // not the first attempt: no wait
	leader.after(4 * time.Second)
	leader.mustResult(node, third, ffrtmp.ResultFailed) // ran 4 s
	if _, err := leader.result(node, second, ffrtmp.ResultCompleted); ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
		t.Fatalf("the result of a lost attempt: %v", err)
	}

	leader.reopen()
	for _, e := range leader.entries {
		follower.fsm.Apply(e)
	}
	got, restarted := testkit.Metrics(t, theirs), testkit.Metrics(t, ours)
	for name, want := range map[string]float64{
		"ffmpeg_master_leases_expired_total":   1,
		"ffmpeg_master_stale_results_total":    1,
		"ffmpeg_master_job_wait_seconds_count": 2, "ffmpeg_master_job_wait_seconds_sum": 15,
		"ffmpeg_master_job_run_seconds_count": 2, "ffmpeg_master_job_run_seconds_sum": 15,
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if n := restarted["ffmpeg_master_leases_expired_total"]; n != 1 {
		t.Errorf("after a restart %v leases have expired, want 1", n)
	}
}
