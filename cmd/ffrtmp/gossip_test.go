package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

const sampleGossipKey = "MDEyMzQ1Njc4OWFiY2RlZg=="

func gossipAnswers(m *fakeMaster) {
	const f1, f2 = "f1f1f1f1f1f1f1f1", "f2f2f2f2f2f2f2f2"
	m.answer("GET /cluster/gossip-keys", http.StatusOK, ffrtmp.GossipKeyList{
		Keys: []ffrtmp.GossipKey{
			{Fingerprint: f1, Primary: true, Masters: []string{"m1", "m2"}, PrimaryOn: []string{"m1", "m2"}},
			{Fingerprint: f2, Masters: []string{"m1"}, PrimaryOn: []string{}},
		},
		Count: 2, Masters: 3, Unreachable: []string{"m3"},
	})
	m.answer("POST /cluster/gossip-keys/"+f2+"/use", http.StatusOK,
		ffrtmp.GossipKeyChange{Status: "used", Fingerprint: f2})
	m.answer("DELETE /cluster/gossip-keys/"+f1, http.StatusOK,
		ffrtmp.GossipKeyChange{Status: "removed", Fingerprint: f1, Missing: []string{"m3"}})
}

// A generated key is alone on standard output; one from a file or standard input is never printed.
func TestGossipInstall(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("POST /cluster/gossip-keys", http.StatusOK, ffrtmp.GossipKeyChange{
		Status: "installed", Fingerprint: "f1", Key: sampleGossipKey, Missing: []string{"m3"},
	})
	r := m.run(t, "gossip", "install")
	if r.code != exitDone || r.out != sampleGossipKey+"\n" || !strings.Contains(r.err, "m3 does not answer") ||
		!strings.Contains(r.err, "not shown again") {
		t.Errorf("generated: got code %d, output %q, errors %q, want the key alone and a warning", r.code, r.out, r.err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(sampleGossipKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m = newFakeMaster(t)
	m.answer("POST /cluster/gossip-keys", http.StatusOK, ffrtmp.GossipKeyChange{Status: "installed", Fingerprint: "f1"})
	r = m.run(t, "gossip", "install", file)
	if r.code != exitDone || strings.Contains(r.out+r.err, sampleGossipKey) || !strings.Contains(r.out, "f1") {
		t.Errorf("file: got code %d, output %q, errors %q, want the fingerprint only", r.code, r.out, r.err)
	}
}

// A key on the command line, and a file without exactly one key, are usage errors that do not repeat the key.
func TestGossip_Usage(t *testing.T) {
	m := newFakeMaster(t)
	two := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(two, []byte(sampleGossipKey+"\n"+sampleGossipKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"gossip", "install", sampleGossipKey},
		{"gossip", "install", two},
		{"gossip", "install", os.DevNull},
		{"gossip", "use", sampleGossipKey},
		{"gossip", "remove", sampleGossipKey},
		{"gossip", "use"},
	} {
		r := m.run(t, args...)
		if r.code != exitUsage || strings.Contains(r.err, sampleGossipKey) {
			t.Errorf("%v: got code %d, %q, want %d without the key", args, r.code, r.err, exitUsage)
		}
	}
}
