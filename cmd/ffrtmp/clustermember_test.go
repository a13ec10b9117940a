package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Autopilot's settings are parsed before they are sent; a wrong one names the key and the form.
func TestAutopilotChange(t *testing.T) {
	change, err := autopilotChange([]string{
		"cleanup_dead_servers=false", "server_stabilization_time=10s", "last_contact_threshold=1m", "min_quorum=3",
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(change)
	const want = `{"cleanup_dead_servers":false,"server_stabilization_time":"10s","last_contact_threshold":"1m0s",` +
		`"min_quorum":3}`
	if err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	for word, part := range map[string]string{
		"": "KEY=VALUE", "min_quorum": "KEY=VALUE", "x=1": "min_quorum", "min_quorum=x": "a number",
		"cleanup_dead_servers=perhaps": "true or false", "last_contact_threshold=5": "a duration",
	} {
		if _, err := autopilotChange([]string{word}); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: got error %v, want one with %q", word, err, part)
		}
	}
	if _, err := autopilotChange(nil); err == nil {
		t.Error("no words: got no error, want one")
	}
}

// A refused change shows the reason and exits with 1; --force is sent, and a name the body.
func TestMemberVerbs(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("GET /cluster", http.StatusOK, sampleCluster())
	m.handle("DELETE /cluster/members/0198c000-0000-7000-8000-000000000002",
		func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("force") != "true" {
				refuse(w, http.StatusConflict, ffrtmp.Conflict, "cannot remove m2: it is risky")
				return
			}
			_ = json.NewEncoder(w).Encode(ffrtmp.MemberChange{Status: "removed", Name: "m2"})
		})
	const transfer = "POST /cluster/leader/transfer"
	m.answer(transfer, http.StatusOK, map[string]string{})
	if r := m.run(t, "cluster", "remove", "m2"); r.code != 1 || !strings.Contains(r.err, "it is risky") {
		t.Errorf("got code %d and %q, want 1 and the reason", r.code, r.err)
	}
	if r := m.run(t, "cluster", "remove", "m2", "--force"); r.code != 0 {
		t.Errorf("got code %d (%s), want 0", r.code, r.err)
	}
	r := m.run(t, "cluster", "transfer-leader", "m2")
	if asked := m.seen(transfer); r.code != 0 || len(asked) != 1 || asked[0].body != `{"member":"m2"}` {
		t.Errorf("got code %d and requests %+v, want 0 and one for m2", r.code, asked)
	}
	if r := m.run(t, "cluster", "transfer-leader", "m2", "m3"); r.code != 2 {
		t.Errorf("two members: got code %d, want 2", r.code)
	}
}
