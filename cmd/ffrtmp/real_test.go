package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// The main verbs work with real masters and an agent with ffmpeg, not only with the fake master of the other tests.
func TestRealCluster(t *testing.T) {
	programs := t.TempDir()
	if err := devcluster.Build(t.Context(), programs); err != nil { // takes as long as it takes
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Masters: 3, Agents: 1, BinDir: programs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	})
	env := []string{
		"MASTER_URL=" + strings.Join(cluster.URLs(), ","), "FFRTMP_CA=" + cluster.CAFile(),
		"FFRTMP_API_KEY_FILE=" + cluster.APIKeyFile(),
	}
	step := func(code int, want string, args ...string) result {
		t.Helper()
		r := invoke(t, env, "", args...)
		if r.code != code || !strings.Contains(r.out+r.err, want) {
			t.Errorf("%q: got code %d, want %d and %q:\n%s%s", args, r.code, code, want, r.out, r.err)
		}
		return r
	}

	r := step(exitDone, `"completed"`, "jobs", "submit", "--scenario", "360p30-h264", "--duration", "1",
		"--output-file", "one.mp4", "--watch", "-o", "json")
	var done ffrtmp.Job
	if err := json.Unmarshal([]byte(r.out), &done); err != nil || done.Output == nil || done.Output.SizeBytes == 0 {
		t.Errorf("got %v, %s, want a job with output", err, r.out)
	}
	step(exitDone, "Output", "jobs", "status", "1")
	step(exitDone, "libx264", "jobs", "logs", "1")
	step(exitDone, "completed", "jobs", "list", "--status", "completed")
	step(exitFailed, "completed", "jobs", "pause", "1")

	step(exitDone, "Job 2 submitted", "jobs", "submit", "--scenario", "360p", "--requires-label", "zone=moon",
		"--label", "a=b", "--idempotency-key", "k")
	step(exitDone, "Job 2 submitted", "jobs", "submit", "--scenario", "360p", "--requires-label", "zone=moon",
		"--label", "a=b", "--idempotency-key", "k")
	step(exitDone, "paused", "jobs", "pause", "2")
	step(exitDone, "resumed", "jobs", "resume", "2")
	step(exitDone, "1 job canceled", "jobs", "cancel", "--label", "a=b")
	step(exitFailed, "job 2 was canceled", "jobs", "watch", "2")
	step(exitDone, "requeued", "jobs", "retry", "2")

	step(exitFailed, "no such file", "jobs", "submit", "--scenario", "360p", "--input", "missing.mp4", "--max-retries",
		"0", "--watch")

	step(exitDone, "cordoned", "nodes", "cordon", "agent-0")
	step(exitDone, "eligible", "nodes", "uncordon", "agent-0")
	step(exitDone, "libx264", "nodes", "describe", "agent-0")
	step(exitDone, "3 of 3 voters healthy, 1 may fail", "cluster", "status")
	var moved struct {
		From, To string
		URL      string `json:"leader_url"`
	}
	for range 3 {
		before := moved.To
		r := step(exitDone, `"leader_url"`, "cluster", "transfer-leader", "-o", "json")
		if err := json.Unmarshal([]byte(r.out), &moved); err != nil || moved.From == moved.To || moved.To == "" ||
			before != "" && moved.From != before {
			t.Errorf("got leadership from %q to %q (%v), want another leader than %q", moved.From, moved.To, err,
				before)
		}
		step(exitDone, " "+moved.URL+"\nTerm ", "cluster", "status")
	}
	step(exitDone, "PER SECOND", "bench", "--clients", "2", "--duration", "200ms")
	step(exitDone, "PER SECOND", "bench", "--clients", "2", "--duration", "200ms", "--mode", "cycle")
	step(exitDone, `"lost": 0`, "bench", "--failover", "--duration", "500ms", "-o", "json")

	right := env[2]
	env[2] = "MASTER_API_KEY=wrong"
	step(exitFailed, "reject this API key", "nodes", "list")

	env[2] = right
	cluster.Master(0).Kill()
	cluster.Master(1).Kill()
	step(exitFailed, "no quorum: 1 of 3 voters answer", "cluster", "status")
}
