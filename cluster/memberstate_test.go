package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// checkState checks the state of the member "a".
func checkState(t *testing.T, m *memberStates, answers bool, want string, since time.Time) {
	t.Helper()
	state, at, _ := m.get("a", roleFollower, answers)
	if state != want || !at.Equal(since) {
		t.Errorf("got %s since %s, want %s since %s", state, at, want, since)
	}
}

// A state begins once: at the first sign of it, whoever sees it.
func TestMemberStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemberStates(openPeerMemory(&storage{}, hclog.NewNullLogger()))
		began := time.Now()
		m.see("a", roleFollower, "run-1")
		time.Sleep(time.Second)
		m.answered("a", status{Run: "run-1", Applied: 7})
		m.see("a", roleFollower, "run-1")
		checkState(t, m, true, roleFollower, began)

		// Its port is closed: gossip has not noticed yet, and then does.
		time.Sleep(time.Second)
		died := time.Now()
		m.failed("a", fmt.Errorf("dial: %w", unix.ECONNREFUSED))
		for _, run := range []string{"run-1", "run-1", "", ""} {
			time.Sleep(time.Second)
			m.see("a", roleFollower, run)
			checkState(t, m, false, stateDead, died)
		}
		if _, _, last := m.get("a", roleFollower, false); last.Applied != 7 {
			t.Errorf("got applied %d of the dead member, want its last, 7", last.Applied)
		}

		// It returns as another process.
		time.Sleep(time.Second)
		back := time.Now()
		m.see("a", roleFollower, "run-2")
		checkState(t, m, false, roleFollower, back)

		// A member that answers is alive, whatever gossip has lost.
		m.see("a", roleFollower, "")
		checkState(t, m, true, roleFollower, back)

		time.Sleep(time.Second)
		m.see("a", roleLeader, "run-2")
		checkState(t, m, true, roleFollower, time.Now())
	})
}

// Since when a member is dead survives a restart of the one that knows it.
func TestMemberStates_Restart(t *testing.T) {
	t.Parallel()
	s := &storage{path: t.TempDir()}
	memory := openPeerMemory(s, hclog.NewNullLogger())
	newMemberStates(memory).see("a", roleFollower, "")
	died := memory.died("a", time.Now())
	memory.save()
	again := newMemberStates(openPeerMemory(s, hclog.NewNullLogger()))
	again.see("a", roleFollower, "")
	checkState(t, again, false, stateDead, died)
	again.see("a", roleFollower, "run-2")
	if state, since, _ := again.get("a", roleFollower, false); state != roleFollower || since.Equal(died) {
		t.Errorf("got %s since %s, want a follower since now", state, since)
	}
}

// Every master shows a dead member as dead, with its name, vote and last index.
func TestMembers_Dead(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	dead := follower(t, masters...)
	rest := without(masters, dead)
	var healthy Member
	for _, m := range rest {
		testkit.Eventually(t, "the member is seen", func() bool {
			members := m.Members()
			i := slices.IndexFunc(members, func(m Member) bool { return m.ID == dead.ID() })
			healthy = members[i]
			return healthy.Healthy && healthy.AppliedIndex > 0
		})
	}
	dead.stop()
	for _, m := range rest {
		var got Member
		testkit.Eventually(t, "the member is dead", func() bool {
			members := m.Members()
			i := slices.IndexFunc(members, func(m Member) bool { return m.ID == dead.ID() })
			got = members[i]
			return got.State == stateDead
		})
		if count := m.countMembers(); count[stateDead] != 1 || count[roleLeader] != 1 {
			t.Errorf("got members %v, want one dead and one leader", count)
		}
		if got.Healthy || !got.Voter || got.Role != roleFollower || got.Name != healthy.Name ||
			got.AppliedIndex < healthy.AppliedIndex || !got.Since.After(healthy.Since) {
			t.Errorf("got %+v of a dead master, want what %+v was, dead since later", got, healthy)
		}
	}
}

// A member that does not answer in time is waited for once, and counts again when it has answered.
func TestMemberStates_Silent(t *testing.T) {
	m := newMemberStates(&peerMemory{members: map[string]*peerRecord{}})
	for _, tt := range []struct {
		name string
		see  func()
		want bool
	}{
		{"never asked", func() {}, false},
		{"no answer in time", func() { m.failed("a", fmt.Errorf("status: %w", context.DeadlineExceeded)) }, true},
		{"an answer", func() { m.answered("a", status{Run: "1"}) }, false},
		{"again none", func() { m.failed("a", context.DeadlineExceeded) }, true},
		{"a closed port", func() { m.failed("a", unix.ECONNREFUSED) }, false},
	} {
		if tt.see(); m.isSilent("a") != tt.want {
			t.Errorf("%s: got silent %v, want %v", tt.name, !tt.want, tt.want)
		}
	}
}
