package cluster

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func startMeasured(t *testing.T) (*master, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m := start(t, Config{Cluster: testCluster, Expect: 1, Dir: t.TempDir(), Metrics: registry})
	waitReady(t, m)
	return m, registry
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, registry := startMeasured(t)
	write(t, "one", m)
	// Raft answers a write a moment before it moves its own applied index.
	testkit.Eventually(t, "the applied index shows the write", func() bool { return m.AppliedIndex() >= 3 })
	values := testkit.Metrics(t, registry)
	for name, want := range map[string]struct{ least, most float64 }{
		"raft_is_leader":                 {1, 1},
		"raft_term":                      {2, 100},
		"raft_commit_index":              {3, 100},
		"raft_applied_index":             {3, 100},
		"raft_last_contact_seconds":      {0, 0},
		"raft_peers":                     {1, 1},
		"raft_voters":                    {1, 1},
		"raft_heartbeat_timeout_seconds": {0.5, 0.5},
		"raft_members leader":            {1, 1},
		"raft_leader_changes_total":      {1, 1},
		"raft_apply_seconds_count":       {1, 1},
		"snapshot_age_seconds":           {0, testkit.Patience.Seconds()},
	} {
		got, exists := values["ffmpeg_master_"+name]
		if !exists || got < want.least || got > want.most {
			t.Errorf("ffmpeg_master_%s: got %v (exists: %v), want %v to %v", name, got, exists, want.least, want.most)
		}
	}
	m.stop()
	if got := testkit.Metrics(t, registry); len(got) != 0 {
		t.Errorf("after close: got %v, want no metrics", got)
	}
}

func TestMetrics_SnapshotAge(t *testing.T) {
	t.Parallel()
	m, _ := startMeasured(t)
	write(t, "one", m)
	before := time.Now().Truncate(time.Millisecond)
	if err := m.Snapshot(testkit.Context(t)); err != nil {
		t.Fatal(err)
	}
	if made := m.snapshotTime(); made.Before(before) || made.After(time.Now()) {
		t.Errorf("snapshot time: got %v, want between %v and now", made, before)
	}
}
