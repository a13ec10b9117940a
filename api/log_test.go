package api

import (
	"fmt"
	"strings"
	"testing"
	"time"
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

// The log is followed when the claim is in the state, but not yet known to the leader.
func TestFollow_FromTheClaimOn(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	_, claimed, err := m.proposer.Claim(t.Context(), nodeA, 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("got %v (%v), want one attempt", claimed, err)
	}
	j := claimed[0]
	lines := m.followLog(j.JobID)
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"log_tail":"one\n"}]}`, j.JobID, j.Lease))
	wantLine(t, lines, "one\n")
}

// A log that ended well would be taken for all of it.
func TestALogThatIsFollowedBreaksWhenTheLeaderDoesNotLead(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	id := m.submit(`{"scenario":"720p"}`).ID
	lines := m.followLog(id)
	m.cluster.setLeader(nil)
	select {
	case text := <-lines:
		if !strings.HasPrefix(text, "broken: ") {
			t.Errorf("streamed %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}
