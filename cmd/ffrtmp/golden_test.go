package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Every command prints the text, and the JSON document, of its golden file.
func TestGolden(t *testing.T) {
	m := newFakeMaster(t)
	running := sampleJob()
	m.handle("GET /jobs", func(w http.ResponseWriter, r *http.Request) {
		list := ffrtmp.List{Jobs: sampleJobs(), Count: 3}
		if r.URL.Query().Get("limit") == "3" {
			list.NextCursor = "9"
		}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	})
	m.answer("GET /jobs/12", http.StatusOK, running)
	m.handle("POST /jobs", answerSubmission)
	m.answer("POST /jobs/12/cancel", http.StatusOK, map[string]string{"status": "canceled", "job_id": jobID})
	for _, action := range []string{"pause", "resume", "retry"} {
		m.answer("POST /jobs/12/"+action, http.StatusOK, map[string]string{"status": "paused", "job_id": jobID})
	}
	m.answer(
		"POST /jobs/batch",
		http.StatusCreated,
		ffrtmp.Submitted{
			Jobs:  []ffrtmp.SubmittedJob{{ID: jobID, SequenceNumber: 12}, {ID: "b", SequenceNumber: 13}},
			Count: 2,
		},
	)
	m.answer(
		"GET /jobs/12/explain",
		http.StatusOK,
		ffrtmp.Explanation{
			JobID: jobID, Status: ffrtmp.Running, Summary: "attempt 2 runs on agent-1",
			Attempts: running.Attempts,
		},
	)
	m.answer("POST /jobs/cancel", http.StatusOK, map[string]int{"count": 2})
	m.answer("PATCH /jobs/12", http.StatusOK, running)
	m.answer("POST /jobs/retry", http.StatusOK, map[string]int{"count": 1})
	m.answer("POST /jobs/priority", http.StatusOK, map[string]int{"count": 3})
	m.answer("GET /jobs/12/logs", http.StatusOK,
		map[string]string{"job_id": jobID, "logs": "frame= 900\nspeed=4.77x\n"})
	m.answer("GET /jobs/13/explain", http.StatusOK, ffrtmp.Explanation{
		JobID:   "0198a000-0000-7000-8000-00000000000d",
		Status:  ffrtmp.Pending,
		Summary: "no node that can run it is free",
		Ahead:   1,
		Nodes: []ffrtmp.NodeExplanation{
			{NodeID: nodeID, Name: "agent-1", Reason: "all 2 slots are taken"},
			{NodeID: "n2", Name: "agent-2"},
		},
	})
	m.answer(
		"GET /nodes",
		http.StatusOK,
		ffrtmp.NodeList{
			Nodes: []ffrtmp.Node{
				sampleNode(),
				{
					ID:          "n2",
					Status:      ffrtmp.NodeOffline,
					Eligibility: ffrtmp.Draining,
					Legacy:      true,
					Machine: ffrtmp.Machine{
						Name: "old",
						Type: "desktop",
					},
				},
			},
			Count: 2,
		},
	)
	m.answer("GET /nodes/"+nodeID, http.StatusOK, sampleNode())
	m.answer("POST /nodes/"+nodeID+"/drain", http.StatusOK, sampleNode())
	m.answer("POST /nodes/"+nodeID+"/cordon", http.StatusOK, sampleNode())
	m.answer("POST /nodes/"+nodeID+"/uncordon", http.StatusOK, sampleNode())
	m.answer("DELETE /nodes/"+nodeID, http.StatusOK, map[string]string{"status": "removed", "node_id": nodeID})
	m.handle("GET /cluster", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ffrtmp-Served-By", sampleCluster().Leader)
		_ = json.NewEncoder(w).Encode(sampleCluster())
	})
	m.answer("POST /cluster/leader/transfer", http.StatusOK, map[string]string{})
	const m3 = "0198c000-0000-7000-8000-000000000003"
	m.answer("DELETE /cluster/members/"+m3, http.StatusOK, ffrtmp.MemberChange{
		Status: "removed", MemberID: m3, Name: "m3",
		Warnings: []string{"2 voters tolerate no more failures than 1: use an odd number"},
	})
	m.answer("POST /cluster/members/"+m3+"/promote", http.StatusOK,
		ffrtmp.MemberChange{Status: "unchanged", MemberID: m3, Name: "m3"})
	m.answer("POST /cluster/members/"+m3+"/demote", http.StatusOK,
		ffrtmp.MemberChange{Status: "demoted", MemberID: m3, Name: "m3"})
	autopilot := ffrtmp.Autopilot{
		CleanupDeadServers: true, ServerStabilizationTime: 2e9, LastContactThreshold: 1e9, MinQuorum: 2,
	}
	m.answer("GET /cluster/autopilot", http.StatusOK, autopilot)
	m.answer("PUT /cluster/autopilot", http.StatusOK, autopilot)

	gossipAnswers(m)

	batch := filepath.Join(t.TempDir(), "jobs.json")
	if err := os.WriteFile(batch, []byte(`{"jobs":[{"scenario":"720p"},{"scenario":"480p"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	m.answer("GET /keys", http.StatusOK, ffrtmp.KeyList{Keys: sampleKeys(), Count: 3})
	m.answer("DELETE /keys/"+keyID, http.StatusOK, map[string]string{"status": "revoked", "key_id": keyID})
	m.answer("GET /audit", http.StatusOK, sampleAudit())

	for _, c := range []struct {
		name string
		args []string
	}{
		{"jobs-list", []string{"jobs", "list", "--limit", "3"}},
		{"jobs-status-all", []string{"jobs", "status"}},
		{"jobs-status", []string{"jobs", "status", "12"}},
		{"jobs-submit", []string{"jobs", "submit", "--scenario", "live-4K60-h265"}},
		{"jobs-submit-dry-run", []string{"jobs", "submit", "--scenario", "720p", "--dry-run", "--node", "agent-1"}},
		{"jobs-cancel", []string{"jobs", "cancel", "12"}},
		{"jobs-cancel-many", []string{"jobs", "cancel", "--status", "pending"}},
		{"jobs-retry-many", []string{"jobs", "retry", "--q", "a.mkv", "--dry-run"}},
		{"jobs-priority-many", []string{"jobs", "priority", "high", "--label", "a=b"}},
		{"jobs-priority", []string{"jobs", "priority", "low", "12"}},
		{"jobs-submit-batch", []string{"jobs", "submit", "--file", batch}},
		{"jobs-pause", []string{"jobs", "pause", "12"}},
		{"jobs-resume", []string{"jobs", "resume", "12"}},
		{"jobs-retry", []string{"jobs", "retry", "12"}},
		{"jobs-explain-running", []string{"jobs", "explain", "12"}},
		{"jobs-logs", []string{"jobs", "logs", "12"}},
		{"jobs-explain", []string{"jobs", "explain", "13"}},
		{"nodes-list", []string{"nodes", "list"}},
		{"nodes-describe", []string{"nodes", "describe", "agent-1"}},
		{"nodes-drain", []string{"nodes", "drain", nodeID}},
		{"nodes-cordon", []string{"nodes", "cordon", nodeID}},
		{"nodes-uncordon", []string{"nodes", "uncordon", nodeID}},
		{"nodes-remove", []string{"nodes", "remove", "agent-1"}},
		{"cluster-status", []string{"cluster", "status"}},
		{"cluster-members", []string{"cluster", "members"}},
		{"cluster-transfer", []string{"cluster", "transfer-leader"}},
		{"cluster-remove", []string{"cluster", "remove", "m3", "--force"}},
		{"cluster-promote", []string{"cluster", "promote", "m3"}},
		{"cluster-demote", []string{"cluster", "demote", "m3"}},
		{"cluster-autopilot", []string{"cluster", "autopilot", "get"}},
		{"cluster-autopilot-set", []string{"cluster", "autopilot", "set", "min_quorum=2"}},
		{"gossip-list", []string{"gossip", "list"}},
		{"gossip-use", []string{"gossip", "use", "f2f2"}},
		{"gossip-remove", []string{"gossip", "remove", "f1f1f1f1f1f1f1f1", "--force"}},
		{"keys-list", []string{"keys", "list"}},
		{"keys-revoke", []string{"keys", "revoke", "ci"}},
		{"audit", []string{"audit", "--since", "24h", "--limit", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := m.run(t, c.args...)
			if r.code != exitDone || r.err != "" {
				t.Fatalf("got exit code %d, errors %q, want %d and none", r.code, r.err, exitDone)
			}
			golden(t, c.name+".txt", m.hidePort(r.out))
			r = m.run(t, append(c.args, "--output", "json")...)
			if r.code != exitDone || !json.Valid([]byte(r.out)) {
				t.Fatalf("got exit code %d, %q, %q, want %d and a JSON document", r.code, r.out, r.err, exitDone)
			}
			golden(t, c.name+".json", m.hidePort(r.out))
		})
	}
}

// answerSubmission answers a submission, or a dry run.
func answerSubmission(w http.ResponseWriter, r *http.Request) {
	var document any = sampleJobs()[0]
	if r.URL.Query().Get("dry_run") == "true" {
		document = ffrtmp.DryRun{
			Job: ffrtmp.Job{Scenario: "720p", Queue: ffrtmp.Default, Priority: ffrtmp.Medium}, NodeName: "agent-1",
			Command:  []string{"ffmpeg", "-i", "a b.mkv", "-c:v", "libx264", "-f", "mp4", "out.mp4"},
			Assumed:  []string{"the input exists and has what the scenario needs"},
			Warnings: []string{"node agent-1 cannot run it: no GPU"},
		}
	} else {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(document)
}

// Errors are text, or with --output json one document on standard error.
func TestGolden_Errors(t *testing.T) {
	m := newFakeMaster(t)
	m.handle("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusUnauthorized, ffrtmp.Unauthenticated, "the API key is not valid")
	})
	m.handle("POST /jobs/12/pause", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusConflict, ffrtmp.Conflict, "cannot pause job "+jobID+": it is completed")
	})
	m.handle("POST /jobs", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusGatewayTimeout, ffrtmp.UnknownOutcome, "leadership was lost")
	})
	for _, c := range []struct {
		name string
		code int
		args []string
	}{
		{"error-refused", exitFailed, []string{"jobs", "pause", "12", "13"}},
		{"error-key", exitFailed, []string{"nodes", "list"}},
		{"error-unknown", exitUnknown, []string{"jobs", "submit", "--scenario", "720p", "--idempotency-key", "k1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for ext, args := range map[string][]string{".txt": c.args, ".json": append(c.args, "-o", "json")} {
				r := m.run(t, args...)
				if r.code != c.code || ext == ".json" && !json.Valid([]byte(r.err)) {
					t.Errorf("got exit code %d, want %d: %s", r.code, c.code, r.err)
				}
				golden(t, c.name+ext, tries.ReplaceAllString(m.hidePort(r.err), ""))
			}
		})
	}
}

// tries matches the number of tries, which depends on the speed of the machine.
var tries = regexp.MustCompile(` \(\d+ tries\)`)
