package main

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Masters are upgraded one by one, the leader last, and only while all others are healthy.
func TestPlanUpgrade(t *testing.T) {
	m := func(name, version string, state ffrtmp.MemberState) ffrtmp.Member {
		return ffrtmp.Member{
			Name: name, Version: version, State: state, Voter: state != ffrtmp.MemberNonvoter,
			Healthy: state != ffrtmp.MemberDead,
		}
	}
	const leader, follower, nonvoter, dead = ffrtmp.MemberLeader, ffrtmp.MemberFollower, ffrtmp.MemberNonvoter,
		ffrtmp.MemberDead
	late := m("m3", "3.1.0", follower)
	late.Healthy = false
	for _, tt := range []struct {
		name    string
		members []ffrtmp.Member
		next    string
		reason  string // "": it is safe
	}{
		{"a follower first", []ffrtmp.Member{
			m("m1", "3.0.0", leader), m("m2", "3.0.0", follower), m("m3", "3.0.0", follower),
		}, "m2", ""},
		{"a master without a vote before it", []ffrtmp.Member{
			m("m1", "3.0.0", leader), m("m2", "3.0.0", follower), m("m3", "3.1.0", follower),
			m("m4", "3.0.0", nonvoter),
		}, "m4", ""},
		{"the leader last", []ffrtmp.Member{
			m("m1", "3.0.0", leader), m("m2", "3.1.0", follower), m("m3", "3.1.0", follower),
		}, "m1", ""},
		{"done", []ffrtmp.Member{
			m("m1", "3.1.0", leader), m("m2", "3.1.0", follower), m("m3", "3.1.0", follower),
		}, "", ""},
		{"one has just been restarted", []ffrtmp.Member{
			m("m1", "3.0.0", leader), m("m2", "3.0.0", follower), late,
		}, "m2", "m3 has not caught up yet"},
		{"one is dead", []ffrtmp.Member{
			m("m1", "3.0.0", leader), m("m2", "3.0.0", follower), m("m3", "3.1.0", dead),
		}, "m2", "m3 is dead"},
		{"a single master", []ffrtmp.Member{m("m1", "3.0.0", leader)}, "m1", "nobody accepts writes"},
	} {
		r := planUpgrade(clusterReport{ClusterStatus: ffrtmp.ClusterStatus{Members: tt.members}, Quorum: true}, "3.1.0")
		if r.Next != tt.next || r.Safe != (tt.reason == "") ||
			!strings.Contains(strings.Join(r.Reasons, "; "), tt.reason) {
			t.Errorf("%s: got next %q and reasons %q, want %q and %q", tt.name, r.Next, r.Reasons, tt.next, tt.reason)
		}
	}
	if r := planUpgrade(clusterReport{}, "3.1.0"); r.Safe {
		t.Error("got a safe upgrade without a quorum")
	}
}

// The exit code says whether the next master may be restarted.
func TestClusterUpgradeCheck(t *testing.T) {
	m := newFakeMaster(t)
	s := sampleCluster() // m3 is dead
	m.answer("GET /cluster", 200, s)
	r := m.run(t, "cluster", "upgrade-check", "--to", "3.1.0")
	if r.code != exitFailed {
		t.Errorf("with a dead master: got code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the output", r.out, "Next is", "but not now", "m3 is dead: start or remove it")
	s.Members = s.Members[:2]
	s.Members = append(s.Members, s.Members[1])
	s.Members[2].ID, s.Members[2].Name = "x", "m4"
	m.answer("GET /cluster", 200, s)
	r = m.run(t, "cluster", "upgrade-check", "--to", "3.1.0")
	if r.code != exitDone {
		t.Errorf("got code %d, want %d: %s%s", r.code, exitDone, r.out, r.err)
	}
	mustContain(t, "the output", r.out, "Restart m2 with 3.1.0 now; 3 of 3 masters are left.")
	r = m.run(t, "cluster", "upgrade-check", "--to", "3.0.0")
	mustContain(t, "the output", r.out, "Every master runs 3.0.0.")
}
