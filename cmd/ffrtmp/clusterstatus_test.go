package main

import (
	"encoding/json"
	"net"
	"net/http"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// leaderless is a master that answers without a leader: the only one that does of so many members.
func leaderless(t *testing.T, members int) *fakeMaster {
	t.Helper()
	m := newFakeMaster(t)
	m.handle("GET /cluster", func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("stale") {
			refuse(w, http.StatusServiceUnavailable, ffrtmp.NoLeader, "the cluster has no leader that can be reached")
			return
		}
		s := sampleCluster()
		s.Leader, s.LeaderURL, s.Members = "", "", s.Members[:members]
		s.Members[0].Role = "follower"
		w.Header().Set("X-Ffrtmp-Served-By", s.Members[0].ID)
		_ = json.NewEncoder(w).Encode(s)
	})
	return m
}

// Without a quorum, the survivor's view and the reason of every other master are shown, and the exit code is 1.
func TestClusterStatus_NoQuorum(t *testing.T) {
	r := leaderless(t, 3).run(t, "cluster", "status")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the status", r.out, "Leader     none", "1 of 3 voters answer, no quorum", "https://127.0.0.1:2",
		"connection refused")
	mustContain(t, "the error", r.err, "no quorum: 1 of 3 voters answer, 2 are needed", "ffrtmp recover")
	r = leaderless(t, 3).run(t, "cluster", "status", "-o", "json")
	var document clusterReport
	if err := json.Unmarshal([]byte(r.out), &document); err != nil || document.Quorum || len(document.Views) != 3 ||
		r.code != exitFailed {
		t.Errorf("got code %d, %v, %+v, want three views and no quorum", r.code, err, document)
	}
}

// Enough voters answer, but none of them knows a leader.
func TestClusterStatus_NoLeader(t *testing.T) {
	r := leaderless(t, 1).run(t, "cluster", "status")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the status", r.out, "1 of 1 voters answer, no leader")
	mustContain(t, "the error", r.err, "no leader: 1 of 1 voters answer", "Repeat the command")
}

// A master that accepts connections and never answers does not hold up the others' answers.
func TestClusterStatus_SilentMaster(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	r := leaderless(t, 3).run(t, "cluster", "status", "--timeout", "1s", "--master", "https://"+silent.Addr().String())
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "timed out after 1s")
	m := leaderless(t, 3)
	r = m.run(t, "cluster", "status", "--timeout", "20s", "--master", m.server.URL+",https://"+silent.Addr().String())
	mustContain(t, "the status", r.out, "1 of 3 voters answer, no quorum", "context deadline exceeded")
}

// No master answers at all.
func TestClusterStatus_NoMaster(t *testing.T) {
	r := invoke(t, []string{"MASTER_URL=https://127.0.0.1:1"}, "", "cluster", "status")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "show cluster: no master answered", "connection refused",
		"Check that a master runs")
}
