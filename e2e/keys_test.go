package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// createKey creates a key through one master.
func (s *site) createKey(m *devcluster.Master, body string) (ffrtmp.CreatedKey, *wire) {
	s.t.Helper()
	var k ffrtmp.CreatedKey
	s.wire().call(s.t, "POST", m.URL()+"/keys", body).want(s.t, http.StatusCreated).decode(s.t, &k)
	w := s.wire()
	w.key = k.Secret
	return k, w
}

// A key works on every master at once, within its scopes, and stops working within a second of its end.
func TestKeys_HoldOnEveryMaster(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "agent.key")
	s := prepare(
		t,
		devcluster.Options{
			Masters:   3,
			Agents:    1,
			AgentArgs: func(int) []string { return []string{"--api-key-file", keyFile} },
		},
	)
	for _, m := range s.Masters() {
		s.must(m.Start())
	}
	for _, m := range s.Masters() {
		s.must(m.WaitReady(s.soon()))
	}
	s.voters(3)
	follower := s.Master(s.follower())

	// An agent needs only its own scope.
	agents, agent := s.createKey(follower, `{"name":"encoders","scopes":["agent"]}`)
	s.must(os.WriteFile(keyFile, []byte(agents.Secret+"\n"), 0o600))
	s.must(s.Agent(0).Start())
	s.must(s.Agent(0).WaitReady(s.soon()))

	// Two keys are valid at once, as in a rotation.
	old, oldKey := s.createKey(follower, `{"name":"ci","scopes":["submit"],"expires_in":"1h"}`)
	_, newKey := s.createKey(follower, `{"name":"ci","scopes":["submit"]}`)
	for _, m := range s.Masters() {
		for _, w := range []*wire{oldKey, newKey} {
			w.call(t, "GET", m.URL()+"/jobs?stale", "").want(t, http.StatusOK)
			var j ffrtmp.Job
			w.call(t, "POST", m.URL()+"/jobs", `{"scenario":"360p","parameters":{"duration":1,"preset":"ultrafast"}}`).
				want(t, http.StatusCreated).
				decode(t, &j)
			if j = s.finished(j.ID); j.Status != ffrtmp.Completed {
				t.Errorf("job %s: got %s (%s), want completed", j.ID, j.Status, j.Error)
			}
			w.call(t, "DELETE", m.URL()+"/nodes/"+j.NodeID, "").refused(t, http.StatusForbidden, ffrtmp.Forbidden)
		}
		agent.call(t, "GET", m.URL()+"/jobs", "").refused(t, http.StatusForbidden, ffrtmp.Forbidden)
	}

	admin := s.wire()
	admin.call(t, "DELETE", follower.URL()+"/keys/"+old.ID, "").want(t, http.StatusOK)
	took := s.within(patience, "every master refuses the key", func() bool {
		for _, m := range s.Masters() {
			if oldKey.call(t, "GET", m.URL()+"/jobs?stale", "").status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})
	t.Logf("revoked on all masters after %s", took)
	for _, m := range s.Masters() {
		oldKey.call(t, "POST", m.URL()+"/jobs", `{"scenario":"360p"}`).
			refused(t, http.StatusUnauthorized, ffrtmp.Unauthenticated)
		newKey.call(t, "GET", m.URL()+"/jobs?stale", "").want(t, http.StatusOK)
	}

	// Every master has the audit records.
	for _, m := range s.Masters() {
		var list ffrtmp.AuditList
		admin.call(t, "GET", m.URL()+"/audit", "").want(t, http.StatusOK).decode(t, &list)
		var said []string
		for _, r := range list.Records {
			said = append(said, r.Principal+" "+r.Action+" "+r.Target+" "+r.Source)
		}
		want := "bootstrap key.revoke " + old.ID + " 127.0.0.1"
		if len(said) != 4 || said[0] != want {
			t.Errorf("got audit records:\n%s\nwant 4, the first one %s", strings.Join(said, "\n"), want)
		}
	}
}
