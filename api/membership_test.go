package api

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

// memberTraffic reaches a change of a member with every status that it documents.
func (m *master) memberTraffic(method, path string) {
	m.t.Helper()
	m.want(200, method, path+"?force", "")
	m.want(400, method, path, "[]")
	m.cluster.plan.Risks = []string{"it is risky"}
	m.want(409, method, path, "")
	m.cluster.plan.Risks, m.cluster.planErr = nil, &cluster.NoMemberError{Ref: "m2", Names: []string{"m1"}}
	m.want(404, method, strings.Replace(path, "m2", "other", 1), "")
	m.cluster.planErr = nil
}

// A change with risks is refused with the reasons and without an effect, and forced.
func TestMember_Risks(t *testing.T) {
	m := newMaster(t)
	m.cluster.plan = cluster.Plan{Risks: []string{"reason one", "reason two"}, Warnings: []string{"beware"}}
	var p problem
	m.want(409, "DELETE", "/cluster/members/m2", "").decode(t, &p)
	if !strings.Contains(p.Error, "reason one; reason two") || !strings.Contains(p.Error, "m2") {
		t.Errorf("got error %q, want one that names the member and both reasons", p.Error)
	}
	if len(m.cluster.carried) != 0 || m.fsm.Setting(cluster.RemovedKey("id-of-m2")) != "" {
		t.Errorf("got changes %+v after a refusal, want none", m.cluster.carried)
	}
	var done ffrtmp.MemberChange
	m.want(200, "DELETE", "/cluster/members/m2?force=true", "").decode(t, &done)
	if done.Status != "removed" || done.Name != "m2" || len(done.Warnings) != 1 || len(m.cluster.carried) != 1 {
		t.Errorf("got %+v and changes %+v, want m2 removed with a warning", done, m.cluster.carried)
	}
}

// What an operator decided stays in the state: a removal, and a demotion until a promotion.
func TestMember_Settings(t *testing.T) {
	m := newMaster(t)
	check := func(key string, want bool) {
		t.Helper()
		if got := m.fsm.Setting(key) != ""; got != want {
			t.Errorf("setting %s: got %v, want %v", key, got, want)
		}
	}
	m.want(200, "POST", "/cluster/members/m2/demote", "")
	check(cluster.NonvoterKey("id-of-m2"), true)
	m.want(200, "POST", "/cluster/members/m2/promote", "")
	check(cluster.NonvoterKey("id-of-m2"), false)
	m.cluster.plan.Nothing = true
	var done ffrtmp.MemberChange
	m.want(200, "POST", "/cluster/members/m2/demote", "").decode(t, &done)
	check(cluster.NonvoterKey("id-of-m2"), true)
	if done.Status != "unchanged" || len(m.cluster.carried) != 2 {
		t.Errorf("got %+v of a member without a vote, want it unchanged", done)
	}
	m.cluster.plan.Nothing = false
	m.want(200, "DELETE", "/cluster/members/m2", "")
	check(cluster.RemovedKey("id-of-m2"), true)
	m.cluster.planErr = &cluster.NoMemberError{Ref: "id-of-m2"}
	m.want(200, "DELETE", "/cluster/members/id-of-m2", "").decode(t, &done)
	if done.Status != "unchanged" {
		t.Errorf("got %+v of a repeated removal, want it unchanged", done)
	}
}

// A change that force cannot carry out, one of another leader, and one that Raft refuses.
func TestMember_Errors(t *testing.T) {
	m := newMaster(t)
	m.cluster.planErr = fmt.Errorf("%w: m2 is the only voter", cluster.ErrImpossible)
	var p problem
	m.want(409, "DELETE", "/cluster/members/m2?force", "").decode(t, &p)
	if p.Error != "remove: m2 is the only voter" {
		t.Errorf("got error %q, want that m2 is the only voter", p.Error)
	}
	m.cluster.planErr, m.cluster.carryErr = nil, errors.New("raft refuses")
	m.want(409, "POST", "/cluster/members/m2/promote", "")
	m.want(400, "DELETE", "/cluster/members/m2?force=maybe", "")
	m.want(400, "DELETE", "/cluster/members/m2?x=1", "")
}

// A setting of autopilot is checked, kept, and leaves the others as they are.
func TestAutopilot(t *testing.T) {
	m := newMaster(t)
	var a ffrtmp.Autopilot
	body := `{"cleanup_dead_servers":false,"last_contact_threshold":"3s"}`
	m.want(200, "PUT", "/cluster/autopilot", body).decode(t, &a)
	if a.CleanupDeadServers || a.LastContactThreshold != ffrtmp.Duration(3*time.Second) || a.MinQuorum != 2 {
		t.Errorf("got %+v, want the two changes and the defaults", a)
	}
	if set := m.fsm.Setting("autopilot"); !strings.Contains(set, `"cleanup_dead_servers":false`) {
		t.Errorf("got setting %q, want it kept", set)
	}
	for body, field := range map[string]string{
		`{"min_quorum":0}`: "min_quorum", `{"min_quorum":100}`: "min_quorum", `{"min_quorum":"x"}`: "min_quorum",
		`{"server_stabilization_time":"-1s"}`:  "server_stabilization_time",
		`{"server_stabilization_time":"25h"}`:  "server_stabilization_time",
		`{"last_contact_threshold":"1ms"}`:     "last_contact_threshold",
		`{"cleanup_dead_servers":"sometimes"}`: "cleanup_dead_servers",
	} {
		var p problem
		m.want(400, "PUT", "/cluster/autopilot", body).decode(t, &p)
		if p.Field != field {
			t.Errorf("%s: got field %q (%s), want %q", body, p.Field, p.Error, field)
		}
	}
}
