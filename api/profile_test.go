package api

import (
	"strings"
	"testing"
)

// Profiles are those of the Go runtime, and are named in the refusal of another.
func TestProfile(t *testing.T) {
	m := newMaster(t)
	for path, want := range map[string]string{
		"goroutine?debug=1": "goroutine profile: total", "heap": "\x1f\x8b", "profile?seconds=1": "\x1f\x8b",
		"trace?seconds=1": "go 1.",
	} {
		r := m.want(200, "GET", "/debug/pprof/"+path, "")
		if !strings.HasPrefix(string(r.body), want) {
			t.Errorf("%s: got %.40q, want %q at its start", path, r.body, want)
		}
	}
	if r := m.want(404, "GET", "/debug/pprof/cmdline", ""); !strings.Contains(string(r.body), "goroutine, heap") {
		t.Errorf("got %s, want the names of all", r.body)
	}
	for _, query := range []string{"seconds=0", "seconds=301", "seconds=x"} {
		m.refused(400, "GET", "/debug/pprof/profile?"+query, "", "seconds")
	}
	m.refused(400, "GET", "/debug/pprof/heap?debug=x", "", "debug")
	m.api.recording.Store(true)
	m.want(409, "GET", "/debug/pprof/trace", "")
}
