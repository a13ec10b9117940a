package cluster

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestThreeMastersFormAndApply(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)
	for _, m := range masters {
		if got := m.ClusterID(); got == "" || got != masters[0].ClusterID() {
			t.Errorf("cluster id %q, want %q", got, masters[0].ClusterID())
		}
	}
}

// The ids decide who proposes, so every order of ids and starts is another way
// to form.
func TestMastersFormInAnyOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}} {
		t.Run(order[0]+order[1]+order[2], func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			var masters []*master
			var join []string
			for i, id := range order {
				if i > 0 { // the last one comes after the others have settled
					waitForPeers(t, masters[i-1], i)
				}
				cfg := a.config("m"+id, 3, join...)
				cfg.NodeID = id
				m := start(t, cfg)
				masters = append(masters, m)
				join = append(join, m.GossipAddr())
			}
			waitReady(t, masters...)
			write(t, "formed", masters...)
			waitApplied(t, "formed", masters...)
		})
	}
}

func waitForPeers(t *testing.T, m *master, n int) {
	t.Helper()
	eventually(t, strconv.Itoa(n)+" masters in view", func() bool { return len(m.gossip.alive()) == n })
}

// Both {a,b,c} and {b,c,d} are complete sets; one cluster must come of them,
// and the master that is left over joins it.
func TestOverlappingSetsFormOneCluster(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	middle := make([]*master, 2, 4)
	for i, id := range []string{"b", "c"} {
		cfg := a.config("m"+id, 3)
		cfg.NodeID = id
		middle[i] = start(t, cfg)
	}
	masters := middle
	for _, id := range []string{"d", "a"} {
		cfg := a.config("m"+id, 3, middle[0].GossipAddr(), middle[1].GossipAddr())
		cfg.NodeID = id
		masters = append(masters, start(t, cfg))
	}
	waitReady(t, masters...)
	for _, m := range masters {
		if m.ClusterID() != masters[0].ClusterID() {
			t.Errorf("%s is in cluster %s, %s in %s", m.ID(), m.ClusterID(), masters[0].ID(), masters[0].ClusterID())
		}
	}
	eventually(t, "four voters", func() bool { return len(masters[0].voters()) == 4 })
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)
}

func TestFourthMasterJoinsAndIsPromoted(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	write(t, "before", masters...)
	fourth := start(t, a.config("m3", 0, masters[0].GossipAddr()))
	eventually(t, "the fourth is a member without a vote", func() bool {
		return slices.ContainsFunc(fourth.Members(), func(m Member) bool { return m.ID == fourth.ID() && !m.Voter })
	})
	eventually(t, "the fourth has a vote", func() bool { return slices.Contains(fourth.voters(), fourth.ID()) })
	waitApplied(t, "before", fourth)
	waitReady(t, fourth)
	eventually(t, "four voters, described in full", func() bool {
		members := masters[0].Members()
		return len(members) == 4 && !slices.ContainsFunc(members, func(m Member) bool {
			return !m.Voter || !m.Healthy || m.Address == "" || m.APIURL == "" || m.Version == "" || m.AppliedIndex == 0
		})
	})
}

func TestCommandLevelIsTheLowestVoters(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var masters []*master
	var join []string
	for i, level := range []int{7, 5, 6} {
		cfg := a.config("m"+strconv.Itoa(i), 3, join...)
		cfg.CommandLevel = level
		masters = append(masters, start(t, cfg))
		join = append(join, masters[i].GossipAddr())
	}
	waitReady(t, masters...)
	for _, m := range masters {
		eventually(t, "level 5", func() bool { return m.CommandLevel() == 5 })
	}
	// While the old one is being replaced nothing that it cannot apply may be
	// proposed; then it may.
	masters[1].stop()
	if got := masters[0].CommandLevel(); got != 5 {
		t.Errorf("level %d while the voter of level 5 is down", got)
	}
	masters[1] = masters[1].restart(func(c *Config) { c.CommandLevel, c.Join = 8, []string{masters[0].GossipAddr()} })
	eventually(t, "level 6 after the upgrade", func() bool { return masters[0].CommandLevel() == 6 })
}

func TestRestartedMasterIsTheSameMemberAtAnotherPort(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	before := masters[2].PeerAddr()
	id := masters[2].ID()
	masters[2] = masters[2].restart(func(c *Config) { c.Join = []string{masters[0].GossipAddr()} })
	if masters[2].ID() != id {
		t.Fatalf("id changed from %s to %s", id, masters[2].ID())
	}
	if masters[2].PeerAddr() == before {
		t.Fatalf("the restarted master has the old port %s", before)
	}
	waitReady(t, masters...)
	write(t, "after", masters...)
	waitApplied(t, "after", masters...)
	if n := len(masters[0].voters()); n != 3 {
		t.Errorf("%d voters, want the same 3", n)
	}
	eventually(t, "the new address is known", func() bool {
		return slices.ContainsFunc(masters[0].Members(), func(m Member) bool {
			return m.ID == id && m.Address == masters[2].PeerAddr() && m.Healthy
		})
	})
}

func TestAllMastersRestartAtOtherPorts(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	write(t, "before", masters...)
	waitApplied(t, "before", masters...)
	for _, m := range masters {
		m.stop()
	}
	var join []string
	again := make([]*master, 3)
	for i, m := range masters {
		cfg := m.cfg
		cfg.Join = join
		again[i] = start(t, cfg)
		join = append(join, again[i].GossipAddr())
	}
	waitReady(t, again...)
	waitApplied(t, "before", again...)
	write(t, "after", again...)
	waitApplied(t, "after", again...)
}

func TestWipedMasterIsANewMember(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := form(t, a, 3)
	old := masters[2]
	old.stop()
	fresh := start(t, a.config("m2b", 3, masters[0].GossipAddr()))
	if fresh.ID() == old.ID() {
		t.Fatal("a new directory has the old identity")
	}
	// Three healthy voters replace the dead one, which is then removed.
	eventually(t, "the dead master is replaced", func() bool {
		voters := masters[0].voters()
		return len(voters) == 3 && slices.Contains(voters, fresh.ID()) && !slices.Contains(voters, old.ID())
	})
}

func TestDeadMasterThatIsNotReplacedStaysAMember(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	f := follower(t, masters...)
	f.stop()
	rest := slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == f })
	// Whoever leads: a busy machine may elect the other one meanwhile.
	var l *master
	var seen time.Time
	eventually(t, "the leader's autopilot has looked twice since gossip noticed", func() bool {
		i := slices.IndexFunc(rest, func(m *master) bool { return m.IsLeader() })
		if i < 0 {
			l = nil
			return false
		}
		state := rest[i].membership.pilot.GetState()
		if rest[i] != l || len(l.gossip.alive()) != 2 || state == nil || state.Healthy {
			l, seen = rest[i], time.Now()
			return false
		}
		return time.Since(seen) > 2*autopilotReconcile
	})
	if n := len(l.voters()); n != 3 {
		t.Errorf("%d voters are left of 3: the dead one could not help to make up a majority", n)
	}
	eventually(t, "all but the dead one are healthy", func() bool {
		return !slices.ContainsFunc(l.Members(), func(m Member) bool {
			dead := m.ID == f.ID()
			return m.Healthy == dead || (m.LastContact < 0) != dead
		})
	})
}

// A follower that the log no longer reaches gets a snapshot.
func TestFollowerBehindTheLogGetsASnapshot(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var masters []*master
	var join []string
	for i := range 3 {
		cfg := a.config("m"+strconv.Itoa(i), 3, join...)
		cfg.trailingLogs = 1
		masters = append(masters, start(t, cfg))
		join = append(join, masters[i].GossipAddr())
	}
	waitReady(t, masters...)
	behind := follower(t, masters...)
	behind.stop()
	rest := slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == behind })
	for i := range 20 {
		write(t, strconv.Itoa(i), rest...)
	}
	waitApplied(t, "19", rest...)
	for _, m := range rest { // whoever leads by then
		if err := m.Snapshot(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if first, err := m.store.FirstIndex(); err != nil || first < 20 {
			t.Fatalf("log still begins at %d (%v)", first, err)
		}
	}
	again := behind.restart(func(c *Config) { c.Join = []string{rest[0].GossipAddr()} })
	waitApplied(t, "19", again)
	waitReady(t, again)
	if got, want := again.sm.all(), rest[0].sm.all(); !slices.Equal(got, want) {
		t.Errorf("after the snapshot it has %v, the others %v", got, want)
	}
	write(t, "after", again, rest[0], rest[1])
	waitApplied(t, "after", again)
}

func TestSingleMaster(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"disk", ""} {
		t.Run("dir="+dir, func(t *testing.T) {
			cfg := Config{Cluster: testCluster, Expect: 1, APIURL: "https://solo", Logger: testLogger("solo")}
			if dir != "" {
				cfg.Dir = t.TempDir()
			}
			m := start(t, cfg)
			waitReady(t, m)
			write(t, "one", m)
			if m.PeerAddr() != "" || m.GossipAddr() != "" {
				t.Errorf("a single master has opened %s and %s", m.PeerAddr(), m.GossipAddr())
			}
			if err := m.VerifyLeader(testContext(t)); err != nil {
				t.Error(err)
			}
			if l, ok := m.Leader(); !ok || l != (Leader{ID: m.ID(), APIURL: "https://solo"}) {
				t.Errorf("leader is %+v (%v)", l, ok)
			}
			if dir != "" {
				cluster := m.ClusterID()
				m = m.restart(nil)
				waitReady(t, m)
				if !m.sm.has("one") || m.ClusterID() != cluster {
					t.Errorf("after a restart: commands %v in cluster %s, want one in %s", m.sm.all(), m.ClusterID(), cluster)
				}
			}
		})
	}
}
