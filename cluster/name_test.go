package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// A name can be shown, typed and put into a URL, and is never mistaken for an id.
func TestValidateName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"m1": true, "Host.example.org": true, "a_b-c": true, "1": true, strings.Repeat("a", 63): true,
		"": false, "-m": false, ".m": false, "a b": false, "a/b": false, "ä": false, strings.Repeat("a", 64): false,
		"0198d000-0000-7000-8000-000000000001": false,
	} {
		if err := ValidateName(name); (err == nil) != ok {
			t.Errorf("name %q: got error %v, want valid %v", name, err, ok)
		}
	}
	if name := defaultName(); ValidateName(name) != nil {
		t.Errorf("default name %q is not valid", name)
	}
}

// A default name that is taken is extended by a part of the id; a fixed one is refused.
func TestNameClaim_Choose(t *testing.T) {
	t.Parallel()
	const own, other = "0198d000-0000-7000-8000-000000000001", "0298d000-0000-7000-8000-000000000002"
	servers := func(pairs ...string) (list []raft.Server) {
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, raft.Server{ID: raft.ServerID(pairs[i]), Address: raft.ServerAddress(pairs[i+1])})
		}
		return list
	}
	for _, tt := range []struct {
		name         string
		claim        nameClaim
		servers      []raft.Server
		want, holder string
	}{
		{"free", nameClaim{own, "host", false}, nil, "host", ""},
		{"taken", nameClaim{own, "host", false}, servers(other, "host"), "host-0198d000", ""},
		{"extended name taken", nameClaim{own, "host", false}, servers(other, "host", "x", "host-0198d000"), own, ""},
		{"kept", nameClaim{own, "host", false}, servers(own, "host-0198d000"), "host-0198d000", ""},
		{"other host", nameClaim{own, "new", false}, servers(own, "host"), "new", ""},
		{"none yet", nameClaim{own, "host", false}, servers(own, own), "host", ""},
		{"fixed", nameClaim{own, "m1", true}, servers(other, "m2"), "m1", ""},
		{"fixed and own", nameClaim{own, "m1", true}, servers(own, "m1"), "m1", ""},
		{"fixed and taken", nameClaim{own, "m1", true}, servers(other, "m1"), "", other},
	} {
		if got, holder := tt.claim.choose(tt.servers); got != tt.want || holder != tt.holder {
			t.Errorf("%s: got %q (holder %q), want %q (%q)", tt.name, got, holder, tt.want, tt.holder)
		}
	}
}

// Of two masters that were given one name the smaller id has it, unless it is the same master
// before it lost its log, whom others still see for a while.
func TestNameClaim_Rival(t *testing.T) {
	t.Parallel()
	const older, newer = "0198d000-0000-7000-8000-000000000001", "0298d000-0000-7000-8000-000000000002"
	alive := []gossipMember{{ID: older, gossipMeta: gossipMeta{Name: "m1", Fixed: true}}}
	claim := nameClaim{newer, "m1", true}
	if got := claim.rival(alive, nil); got != older {
		t.Errorf("got rival %q, want %q", got, older)
	}
	if got := claim.rival(alive, []string{older}); got != "" {
		t.Errorf("got rival %q, want none", got)
	}
	alive[0].Formed = true
	if got := claim.rival(alive, nil); got != "" {
		t.Errorf("got the member %q of a cluster as rival, want none", got)
	}
}

// The masters of a new cluster have different names, and fixed ones get theirs first.
func TestNameServers(t *testing.T) {
	t.Parallel()
	got := nameServers([]nameClaim{
		{"a", "host", false}, {"b", "host", false}, {"c", "host", true}, {"d", "host", true},
	})
	if want := []string{"host", "d", "host-a", "host-b"}; !cmp.Equal(names(got), want) {
		t.Errorf("got %v, want %v", names(got), want)
	}
}

// nameEverywhere waits until every master knows the member by the name.
func nameEverywhere(t *testing.T, id, name string, masters ...*master) {
	t.Helper()
	for _, m := range masters {
		testkit.Eventually(t, m.cfg.Version+" names the member "+name, func() bool { return m.nameOf(id) == name })
	}
}

// Masters of one host get different names, a restart with another name changes it, and every
// member knows the names of all, also of a dead one.
func TestName_Cluster(t *testing.T) {
	t.Parallel()
	masters := formWith(t, 3, func(i int, cfg *Config) {
		if i == 2 {
			cfg.Name = "m2"
		}
	})
	var got []string
	for _, m := range masters {
		nameEverywhere(t, m.ID(), m.Name(), masters...)
		got = append(got, m.Name())
	}
	slices.Sort(got)
	if host := defaultName(); len(slices.Compact(slices.Clone(got))) != 3 || !slices.Contains(got, host) ||
		!slices.Contains(got, "m2") {
		t.Errorf("got names %v, want m2, %s and another", got, host)
	}
	masters[2].stop()
	nameEverywhere(t, masters[2].ID(), "m2", masters[:2]...)
}

// taken waits until the master gives up because of its name.
func taken(t *testing.T, m *master, name string) {
	t.Helper()
	var err error
	testkit.Eventually(t, "the second "+name+" ends", func() bool {
		err = m.failure()
		return err != nil
	})
	var want *NameTakenError
	if !errors.As(err, &want) || want.Name != name {
		t.Errorf("got error %v, want that the name %s is taken", err, name)
	}
}

// A master with the name of a living one ends and is not admitted; so does a member that
// restarts with the name of another, alive or dead.
func TestName_Duplicate(t *testing.T) {
	t.Parallel()
	masters := formWith(t, 3, func(i int, cfg *Config) { cfg.Name = []string{"m0", "m1", "m2"}[i] })
	join := []string{masters[0].gossipAddr(), masters[1].gossipAddr()}
	dead := masters[2]
	dead.stop()
	cfg := masters[0].authority.config("second", 0, join...)
	cfg.Name = "m0"
	second := start(t, cfg)
	taken(t, second, "m0")
	if servers := masters[0].servers(); len(servers) != 3 {
		t.Errorf("got %d members, want the 3 of the start", len(servers))
	}
	second.stop()
	again := dead.restart(func(c *Config) { c.Name, c.Join = "m1", join })
	taken(t, again, "m1")
	again.stop()
	nameEverywhere(t, dead.ID(), "m2", masters[:2]...)
	var other *master // a follower
	for _, m := range masters[:2] {
		if !m.IsLeader() {
			other = m
		}
	}
	_, err := without(masters[:2], other)[0].giveName(t.Context(), nameClaim{other.ID(), "m2", true})
	var want *NameTakenError
	if !errors.As(err, &want) || !want.Dead || !strings.Contains(err.Error(), "ffrtmp cluster remove m2") {
		t.Errorf("a member that asks for a dead one's name: got %v, want how to remove that", err)
	}
}

// A new master with the name of a dead one replaces it, and then has the name.
func TestName_Replacement(t *testing.T) {
	t.Parallel()
	masters := formWith(t, 3, func(i int, cfg *Config) { cfg.Name = []string{"m0", "m1", "m2"}[i] })
	dead := masters[2]
	dead.stop()
	cfg := masters[0].authority.config("replacement", 0, masters[0].gossipAddr(), masters[1].gossipAddr())
	cfg.Name, cfg.NodeID = "m2", "z" // behind all others in order
	replacement := start(t, cfg)
	nameEverywhere(t, replacement.ID(), "m2", masters[0], masters[1], replacement)
	for _, s := range masters[0].servers() {
		if string(s.ID) == dead.ID() {
			t.Errorf("got members %v, want the dead one removed", names(masters[0].servers()))
		}
	}
	if err := replacement.failure(); err != nil {
		t.Errorf("the replacement: got error %v, want none", err)
	}
}

// A dead master that returns before it is replaced keeps its name: the other one ends.
func TestName_HolderReturns(t *testing.T) {
	t.Parallel()
	masters := formWith(t, 3, func(i int, cfg *Config) { cfg.Name = []string{"m0", "m1", "m2"}[i] })
	join := []string{masters[0].gossipAddr(), masters[1].gossipAddr()}
	holder := masters[2]
	holder.stop()
	cfg := masters[0].authority.config("second", 0, join...)
	cfg.Name, cfg.Nonvoter = "m2", true // replaces no voter
	second := start(t, cfg)
	nameless := func() bool { return len(masters[0].servers()) == 4 && masters[0].nameOf(second.ID()) == second.ID() }
	testkit.Eventually(t, "the second is a member without a name", nameless)
	holder.restart(func(c *Config) { c.Join = join })
	taken(t, second, "m2")
}

// Of two masters that form a cluster under one name the second ends.
func TestName_DuplicateAtFormation(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var masters []*master
	var join []string
	for _, id := range []string{"a", "b"} {
		cfg := a.config("m"+id, 3, join...)
		cfg.NodeID, cfg.Name = id, "same"
		masters = append(masters, start(t, cfg))
		join = []string{masters[0].gossipAddr()}
	}
	taken(t, masters[1], "same")
	if err := masters[0].failure(); err != nil {
		t.Errorf("the first: got error %v, want none", err)
	}
}

// A single master has a name, and a later start can change it.
func TestName_Solo(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	nameEverywhere(t, m.ID(), defaultName(), m)
	again := m.restart(func(c *Config) { c.Name = "one" })
	nameEverywhere(t, m.ID(), "one", again)
	if l, ok := again.Leader(); !ok || l.Name != "one" {
		t.Errorf("got leader %+v, want the name one", l)
	}
}
