package api

import (
	"fmt"
	"testing"
)

// TestALogComesInChunksWithoutOffsets is of agents that know only the contract:
// each report has the log that is new, and does not count bytes.
func TestALogComesInChunksWithoutOffsets(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	j := m.claim(nodeA)
	report := func(more string) {
		t.Helper()
		m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q%s}]}`, j.ID, j.Lease, more))
	}
	lines := m.followLog(j.ID)
	report(`,"log_tail":"one\n"`)
	wantLine(t, lines, "one\n")
	report(`,"log_tail":"two\n"`)
	wantLine(t, lines, "two\n")
	report(`,"log_tail":"two\n"`) // repeated, because its answer was lost
	report(`,"log_tail":"wo\nthree\n","log_offset":5`)
	wantLine(t, lines, "three\n")
	var log attemptLog
	if m.want(200, "GET", "/jobs/1/logs", "").decode(t, &log); log.Logs != "one\ntwo\nthree\n" {
		t.Errorf("log %q", log.Logs)
	}
}
