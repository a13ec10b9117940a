package main

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// drain sends its deadline, and with --wait returns when the node runs nothing any more.
func TestNodesDrain_DeadlineAndWait(t *testing.T) {
	m := newFakeMaster(t)
	var asked atomic.Int64
	node := func(w http.ResponseWriter, _ *http.Request) {
		n := sampleNode()
		n.Eligibility = ffrtmp.Draining
		if asked.Add(1) > 2 {
			n.Running = nil
		}
		_ = json.NewEncoder(w).Encode(n)
	}
	m.handle("POST /nodes/"+nodeID+"/drain", node)
	m.handle("GET /nodes/"+nodeID, node)
	r := m.run(t, "nodes", "drain", nodeID, "--deadline", "10m", "--wait")
	if r.code != exitDone {
		t.Fatalf("got code %d: %s", r.code, r.err)
	}
	mustContain(t, "the output", r.out, "draining", "0/2")
	if body := m.seen("POST /nodes/" + nodeID + "/drain")[0].body; body != `{"deadline":"10m0s"}` {
		t.Errorf("got body %s, want the deadline", body)
	}
	m.handle("GET /nodes/"+nodeID, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(sampleNode()) // somebody has uncordoned it
	})
	asked.Store(0)
	r = m.run(t, "nodes", "drain", nodeID, "--wait")
	if r.code != exitFailed {
		t.Errorf("uncordoned: got code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "it is eligible again")
}
