package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"ffrtmp/job"
)

func TestGolden(t *testing.T) {
	m := newFakeMaster(t)
	running := sampleJob()
	m.answer("GET /jobs", http.StatusOK, job.List{Jobs: sampleJobs(), Count: 3, NextCursor: "9"})
	m.answer("GET /jobs/12", http.StatusOK, running)
	m.answer("POST /jobs", http.StatusCreated, sampleJobs()[0])
	m.answer("POST /jobs/12/cancel", http.StatusOK, map[string]string{"status": "canceled", "job_id": jobID})
	m.answer("POST /jobs/cancel", http.StatusOK, map[string]int{"count": 2})
	m.answer("GET /jobs/12/logs", http.StatusOK, map[string]string{"job_id": jobID, "logs": "frame= 900\nspeed=4.77x\n"})
	m.answer("GET /jobs/13/explain", http.StatusOK, job.Explanation{
		JobID: "0198a000-0000-7000-8000-00000000000d", Status: job.Pending, Summary: "no node that can run it is free", Ahead: 1,
		Nodes: []job.NodeExplanation{{NodeID: nodeID, Name: "agent-1", Reason: "all 2 slots are taken"}, {NodeID: "n2", Name: "agent-2"}},
	})
	m.answer("GET /nodes", http.StatusOK, job.NodeList{Nodes: []job.Node{sampleNode(), {ID: "n2", Name: "old", Status: job.NodeOffline, Eligibility: job.Draining, Legacy: true, Type: "desktop"}}, Count: 2})
	m.answer("GET /nodes/"+nodeID, http.StatusOK, sampleNode())
	m.answer("POST /nodes/"+nodeID+"/drain", http.StatusOK, sampleNode())
	m.answer("DELETE /nodes/"+nodeID, http.StatusOK, map[string]string{"status": "removed", "node_id": nodeID})
	m.answer("GET /cluster", http.StatusOK, sampleCluster())
	m.answer("POST /cluster/leader/transfer", http.StatusOK, map[string]string{})

	m.answer("GET /keys", http.StatusOK, job.KeyList{Keys: sampleKeys(), Count: 3})
	m.answer("DELETE /keys/"+keyID, http.StatusOK, map[string]string{"status": "revoked", "key_id": keyID})
	m.answer("GET /audit", http.StatusOK, sampleAudit())

	for _, c := range []struct {
		name string
		args []string
	}{
		{"jobs-list", []string{"jobs", "list"}},
		{"jobs-status-all", []string{"jobs", "status"}},
		{"jobs-status", []string{"jobs", "status", "12"}},
		{"jobs-submit", []string{"jobs", "submit", "--scenario", "live-4K60-h265"}},
		{"jobs-cancel", []string{"jobs", "cancel", "12"}},
		{"jobs-cancel-many", []string{"jobs", "cancel", "--status", "pending"}},
		{"jobs-logs", []string{"jobs", "logs", "12"}},
		{"jobs-explain", []string{"jobs", "explain", "13"}},
		{"nodes-list", []string{"nodes", "list"}},
		{"nodes-describe", []string{"nodes", "describe", "agent-1"}},
		{"nodes-drain", []string{"nodes", "drain", nodeID}},
		{"nodes-remove", []string{"nodes", "remove", "agent-1"}},
		{"cluster-status", []string{"cluster", "status"}},
		{"cluster-members", []string{"cluster", "members"}},
		{"cluster-transfer", []string{"cluster", "transfer-leader"}},
		{"keys-list", []string{"keys", "list"}},
		{"keys-revoke", []string{"keys", "revoke", "ci"}},
		{"audit", []string{"audit", "--since", "24h", "--limit", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := m.run(t, c.args...)
			if r.code != exitDone || r.err != "" {
				t.Fatalf("exit code %d, errors %q", r.code, r.err)
			}
			golden(t, c.name+".txt", r.out)
			r = m.run(t, append(c.args, "--output", "json")...)
			if r.code != exitDone || !json.Valid([]byte(r.out)) {
				t.Fatalf("exit code %d, not one JSON document: %q %q", r.code, r.out, r.err)
			}
			golden(t, c.name+".json", r.out)
		})
	}
}
