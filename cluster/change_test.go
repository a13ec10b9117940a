package cluster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// settings are those of a cluster in a test.
type settings struct {
	mu  sync.Mutex
	set map[string]string
}

func (s *settings) get(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set[key]
}

func (s *settings) put(key, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set[key] = value
}

// formSet forms n masters that share settings, which no Raft log replicates here. The names
// are m0, m1 and so on.
func formSet(t *testing.T, n int) ([]*master, *settings) {
	t.Helper()
	s := &settings{set: map[string]string{}}
	return formWith(t, n, func(i int, cfg *Config) {
		cfg.Settings, cfg.Name = s.get, fmt.Sprintf("m%d", i)
	}), s
}

// What is risky depends on the voters that a change leaves, and on how many are healthy.
func TestPlan_Risks(t *testing.T) {
	t.Parallel()
	cluster := func(states string) (members []Member) {
		for i, state := range states {
			members = append(members, Member{
				ID: fmt.Sprint(i), Name: fmt.Sprintf("m%d", i), Voter: state != 'n' && state != 'u',
				Healthy: state == 'h' || state == 'n',
			})
		}
		return members
	}
	for _, tt := range []struct {
		members  string // h healthy, d dead, n healthy non-voter, u dead non-voter
		change   Change
		of       int
		expected int
		want     []string // parts of the risks
	}{
		{"hhh", Remove, 2, 1, nil},
		{"hhh", Remove, 2, 3, []string{"2 voters would remain, fewer than the 3"}},
		{"hhd", Remove, 2, 1, nil},
		{"hhd", Remove, 1, 1, []string{"1 of 2 voters would be healthy, 2 are needed"}},
		{"hhhhd", Remove, 4, 5, []string{"fewer than the 5"}},
		{"hhhdd", Demote, 2, 3, []string{"2 of 4 voters would be healthy, 3 are needed"}},
		{"hh", Remove, 1, 1, []string{"one voter would remain"}},
		{"hd", Remove, 1, 1, []string{"one voter would remain"}},
		{"hhhn", Promote, 3, 3, nil},
		{"hhdu", Promote, 3, 3, []string{"2 of 4 voters would be healthy, 3 are needed"}},
		{"hhhu", Promote, 3, 5, nil},
	} {
		got := countVotes(cluster(tt.members), fmt.Sprint(tt.of), tt.change == Promote).risks(tt.change, tt.expected)
		match := len(got) == len(tt.want)
		for i := range min(len(got), len(tt.want)) {
			match = match && strings.Contains(got[i], tt.want[i])
		}
		if !match {
			t.Errorf("%s %d of %s: got %q, want %q", tt.change, tt.of, tt.members, got, tt.want)
		}
	}
}

// A member is found by id or name; the error for an unknown one lists the members.
func TestFindMember(t *testing.T) {
	t.Parallel()
	members := []Member{{ID: "a", Name: "b"}, {ID: "b", Name: "c"}}
	for ref, want := range map[string]string{"a": "a", "b": "b", "c": "b"} {
		if m, err := findMember(members, ref); err != nil || m.ID != want {
			t.Errorf("%s: got %s (%v), want %s", ref, m.ID, err, want)
		}
	}
	_, err := findMember(members, "x")
	var unknown *NoMemberError
	if !errors.As(err, &unknown) || !slices.Equal(unknown.Names, []string{"b", "c"}) {
		t.Errorf("got %v, want an error with the names", err)
	}
}

// change carries out a change at the leader, as the API does.
func change(t *testing.T, s *settings, c Change, ref string, masters ...*master) {
	t.Helper()
	testkit.Eventually(t, string(c)+" "+ref, func() bool {
		l := leader(t, masters...)
		plan, err := l.Plan(c, ref)
		if err != nil || plan.Nothing {
			// An earlier try may have succeeded under a leader that was then lost.
			return err == nil || c == Remove && errors.As(err, new(*NoMemberError))
		}
		if plan.Leads && c != Promote {
			_ = l.TransferLeadership(testkit.Context(t), "") // tried again
			return false
		}
		switch c {
		case Remove:
			s.put(RemovedKey(plan.ID), "now")
		case Demote:
			s.put(NonvoterKey(plan.ID), "now")
		case Promote:
			s.put(NonvoterKey(plan.ID), "")
		}
		return l.Carry(testkit.Context(t), plan) == nil
	})
}

// A demoted master stays a non-voter until it is promoted; leadership goes to a named voter,
// and to no other master.
func TestDemote_Promote_Transfer(t *testing.T) {
	t.Parallel()
	masters, s := formSet(t, 4)
	if got := masters[0].Warnings(); len(got) != 1 {
		t.Errorf("got warnings %q of 4 voters, want one", got)
	}
	demoted := follower(t, masters...)
	change(t, s, Demote, demoted.Name(), masters...)
	waitStable(t, masters)
	if slices.Contains(masters[0].voters(), demoted.ID()) {
		t.Errorf("the demoted master votes again")
	}
	transfer := func(ref string) error {
		return leader(t, masters...).TransferLeadership(testkit.Context(t), ref)
	}
	if err := transfer(demoted.Name()); !errors.Is(err, ErrImpossible) {
		t.Errorf("transfer to a non-voter: got error %v, want that it is impossible", err)
	}
	change(t, s, Promote, demoted.Name(), masters...)
	for _, next := range []*master{demoted, masters[0], masters[1]} {
		testkit.Eventually(t, next.Name()+" leads", func() bool {
			err := transfer(next.Name())
			return err == nil && leader(t, masters...) == next
		})
	}
	if err := transfer("x"); !errors.As(err, new(*NoMemberError)) {
		t.Errorf("got error %v, want one for a missing member", err)
	}
}

// waitStable waits until autopilot has judged all members healthy and acted on it twice.
func waitStable(t *testing.T, masters []*master) {
	t.Helper()
	for range 2 {
		l := leader(t, masters...)
		before := l.membership.judged.Load()
		testkit.Eventually(t, "autopilot has judged again", func() bool {
			state := l.membership.pilot.GetState()
			return !l.IsLeader() || state != nil && state.Healthy && l.membership.judged.Load() > before
		})
	}
}

// A master with --nonvoter never votes; a voter that restarts with it loses its vote.
func TestNonvoter(t *testing.T) {
	t.Parallel()
	masters, _ := formSet(t, 4)
	join := []string{masters[0].gossipAddr(), masters[1].gossipAddr()}
	masters[3] = masters[3].restart(func(c *Config) { c.Nonvoter, c.Expect, c.Join = true, 0, join })
	testkit.Eventually(t, "the restarted master has lost its vote", func() bool {
		return !slices.Contains(leader(t, masters...).voters(), masters[3].ID())
	})
	waitStable(t, masters)
	if slices.Contains(masters[0].voters(), masters[3].ID()) {
		t.Error("the master with --nonvoter votes")
	}
	var err error
	testkit.Eventually(t, "the promotion is refused", func() bool {
		_, err = leader(t, masters...).Plan(Promote, "m3")
		return errors.Is(err, ErrImpossible)
	})
	write(t, "copied", masters...)
	waitApplied(t, "copied", masters...)
}

// The settings replace the defaults of autopilot, and what cannot be read does not.
func TestAutopilot_Settings(t *testing.T) {
	t.Parallel()
	s := &settings{set: map[string]string{}}
	m := start(t, Config{Cluster: testCluster, Expect: 1, Settings: s.get})
	defaults := m.Autopilot()
	if !defaults.CleanupDeadServers || defaults.MinQuorum != 1 || defaults.LastContactThreshold != m.contactLimit() {
		t.Errorf("got defaults %+v", defaults)
	}
	want := Autopilot{MinQuorum: 3, LastContactThreshold: 7, ServerStabilizationTime: 9}
	key, value, err := want.Setting()
	if err != nil {
		t.Fatal(err)
	}
	s.put(key, value)
	if got := m.Autopilot(); got != want || m.contactLimit() != 7 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.put(key, "{")
	if got := m.Autopilot(); got != defaults {
		t.Errorf("got %+v of settings that cannot be read, want the defaults", got)
	}
}
