package cluster

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func TestForm_Three(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)
	checkOneCluster(t, masters...)
}

func checkOneCluster(t *testing.T, masters ...*master) {
	t.Helper()
	want := masters[0].ClusterID()
	for _, m := range masters {
		if got := m.ClusterID(); got == "" || got != want {
			t.Errorf("cluster id of %s: got %q, want %q", m.ID(), got, want)
		}
		if got := m.sm.clusterID(); got != want {
			t.Errorf("cluster id of the state machine of %s: got %q, want %q", m.ID(), got, want)
		}
	}
}

// startIDs starts a master for each id; each joins those started before it.
func startIDs(t *testing.T, a *authority, join []string, ids ...string) []*master {
	t.Helper()
	var masters []*master
	for _, id := range ids {
		cfg := a.config("m"+id, 3, join...)
		cfg.NodeID = id
		m := start(t, cfg)
		masters = append(masters, m)
		join = append(join, m.gossipAddr())
	}
	return masters
}

// The ids decide who proposes, so each order of ids and starts is another way to
// form. The last master starts after the others have found each other.
func TestForm_AnyOrder(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "c", "a"}} {
		t.Run(order[0]+order[1]+order[2], func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			masters := startIDs(t, a, nil, order[:2]...)
			for _, m := range masters {
				testkit.Eventually(t, "2 masters in view", func() bool { return len(m.gossip.alive()) == 2 })
			}
			join := []string{masters[0].gossipAddr(), masters[1].gossipAddr()}
			masters = append(masters, startIDs(t, a, join, order[2])...)
			waitReady(t, masters...)
			write(t, "formed", masters...)
			waitApplied(t, "formed", masters...)
		})
	}
}

// Both {a,b,c} and {b,c,d} are complete sets: they form one cluster, and the
// master that is left over joins it.
func TestForm_OverlappingSets(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	masters := append(startIDs(t, a, nil, "b"), startIDs(t, a, nil, "c")...)
	join := []string{masters[0].gossipAddr(), masters[1].gossipAddr()}
	for _, id := range []string{"d", "a"} {
		masters = append(masters, startIDs(t, a, join, id)...)
	}
	waitReady(t, masters...)
	checkOneCluster(t, masters...)
	testkit.Eventually(t, "four voters", func() bool { return len(masters[0].voters()) == 4 })
	write(t, "one", masters...)
	waitApplied(t, "one", masters...)
}

// A fourth master joins without a vote and is then promoted.
func TestMembership_Join(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	write(t, "before", masters...)
	fourth := start(t, masters[0].authority.config("m3", 0, masters[0].gossipAddr()))
	testkit.Eventually(t, "the fourth is a non-voter", func() bool {
		return slices.ContainsFunc(fourth.Members(), func(m Member) bool { return m.ID == fourth.ID() && !m.Voter })
	})
	testkit.Eventually(t, "the fourth is a voter", func() bool { return slices.Contains(fourth.voters(), fourth.ID()) })
	waitApplied(t, "before", fourth)
	waitReady(t, fourth)
	testkit.Eventually(t, "four voters, fully described", func() bool {
		members := masters[0].Members()
		return len(members) == 4 && !slices.ContainsFunc(members, func(m Member) bool {
			return !m.Voter || !m.Healthy || m.Address == "" || m.APIURL == "" || m.Version == "" || m.AppliedIndex == 0
		})
	})
	fourth.stop()
	if got := len(masters[0].APIURLs()); got != 4 {
		t.Errorf("got %d API URLs with one master down, want 4", got)
	}
}

// The command level is the lowest of any voter, also while that voter is down.
func TestNode_CommandLevel(t *testing.T) {
	t.Parallel()
	masters := formWith(t, 3, func(i int, cfg *Config) { cfg.CommandLevel = []int{7, 5, 6}[i] })
	for _, m := range masters {
		testkit.Eventually(t, "level 5", func() bool { return m.CommandLevel() == 5 })
	}
	masters[1].stop()
	if got := masters[0].CommandLevel(); got != 5 {
		t.Errorf("voter of level 5 is down: got level %d, want 5", got)
	}
	masters[1].restart(func(c *Config) { c.CommandLevel, c.Join = 8, []string{masters[0].gossipAddr()} })
	testkit.Eventually(t, "level 6 after the upgrade", func() bool { return masters[0].CommandLevel() == 6 })
}

// A restarted master is the same member, at another port.
func TestMembership_Restart(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	id, before := masters[2].ID(), masters[2].peerAddr()
	masters[2] = masters[2].restart(func(c *Config) { c.Join = []string{masters[0].gossipAddr()} })
	if got := masters[2].ID(); got != id {
		t.Fatalf("got id %s, want %s", got, id)
	}
	if masters[2].peerAddr() == before {
		t.Fatalf("got the old port %s, want another", before)
	}
	waitReady(t, masters...)
	write(t, "after", masters...)
	waitApplied(t, "after", masters...)
	if got := len(masters[0].voters()); got != 3 {
		t.Errorf("got %d voters, want 3", got)
	}
	testkit.Eventually(t, "the new address is known", func() bool {
		return slices.ContainsFunc(masters[0].Members(), func(m Member) bool {
			return m.ID == id && m.Address == masters[2].peerAddr() && m.Healthy
		})
	})
}

func TestMembership_RestartAll(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
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
		join = append(join, again[i].gossipAddr())
	}
	waitReady(t, again...)
	waitApplied(t, "before", again...)
	write(t, "after", again...)
	waitApplied(t, "after", again...)
}

// A master whose directory was removed is a new member; three healthy voters
// replace the old one, which is then removed.
func TestMembership_WipedMaster(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	old := masters[2]
	old.stop()
	fresh := start(t, masters[0].authority.config("m2b", 3, masters[0].gossipAddr()))
	if fresh.ID() == old.ID() {
		t.Fatalf("got the old id %s, want a new one", old.ID())
	}
	testkit.Eventually(t, "the dead master is replaced", func() bool {
		voters := masters[0].voters()
		return len(voters) == 3 && slices.Contains(voters, fresh.ID()) && !slices.Contains(voters, old.ID())
	})
}

// A dead master that is not replaced stays a voter: it can still complete a
// majority when it returns.
func TestMembership_DeadMasterStays(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	f := follower(t, masters...)
	f.stop()
	l := waitAutopilot(t, without(masters, f))
	if got := len(l.voters()); got != 3 {
		t.Errorf("got %d voters, want 3", got)
	}
	testkit.Eventually(t, "all but the dead one are healthy", func() bool {
		return !slices.ContainsFunc(l.Members(), func(m Member) bool {
			dead := m.ID == f.ID()
			return m.Healthy == dead || (m.LastContact < 0) != dead
		})
	})
}

// waitAutopilot waits until the leader's autopilot has run twice since gossip
// noticed the dead master. A busy machine may elect another leader meanwhile.
func waitAutopilot(t *testing.T, masters []*master) *master {
	t.Helper()
	var l *master
	var since time.Time
	testkit.Eventually(t, "autopilot has run twice", func() bool {
		i := slices.IndexFunc(masters, func(m *master) bool { return m.IsLeader() })
		if i < 0 {
			l = nil
			return false
		}
		state := masters[i].membership.pilot.GetState()
		if masters[i] != l || len(l.gossip.alive()) != 2 || state == nil || state.Healthy {
			l, since = masters[i], time.Now()
			return false
		}
		return time.Since(since) > 2*autopilotReconcile
	})
	return l
}

// A follower whose next entry was compacted away gets a snapshot.
func TestFollower_InstallsSnapshot(t *testing.T) {
	t.Parallel()
	installSnapshot(t, func(*master) {})
}

// A leader whose snapshots are gone takes a new one when a follower needs it.
func TestFollower_SnapshotsGone(t *testing.T) {
	t.Parallel()
	installSnapshot(t, func(m *master) {
		if err := os.RemoveAll(m.storage.file(snapshotsDir)); err != nil {
			t.Fatal(err)
		}
	})
}

// installSnapshot makes a follower need a snapshot, after harm to the masters that have one.
func installSnapshot(t *testing.T, harm func(*master)) {
	t.Helper()
	masters := formWith(t, 3, func(_ int, cfg *Config) { cfg.trailingLogs = 1 })
	behind := follower(t, masters...)
	behind.stop()
	rest := without(masters, behind)
	for i := range 20 {
		write(t, strconv.Itoa(i), rest...)
	}
	waitApplied(t, "19", rest...)
	for _, m := range rest { // either may lead by then
		if err := m.Snapshot(testkit.Context(t)); err != nil {
			t.Fatal(err)
		}
		if first, err := m.store.FirstIndex(); err != nil || first < 20 {
			t.Fatalf("first index: got %d (%v), want at least 20", first, err)
		}
		harm(m)
	}
	again := behind.restart(func(c *Config) { c.Join = []string{rest[0].gossipAddr()} })
	waitApplied(t, "19", again)
	waitReady(t, again)
	if got, want := again.sm.all(), rest[0].sm.all(); !slices.Equal(got, want) {
		t.Errorf("after the snapshot: got %v, want %v", got, want)
	}
	write(t, "after", again, rest[0], rest[1])
	waitApplied(t, "after", again)
}

func TestSolo(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"disk": t.TempDir(), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			m := start(t, Config{Cluster: testCluster, Expect: 1, APIURL: "https://solo", Dir: dir})
			waitReady(t, m)
			write(t, "one", m)
			if m.peerAddr() != "" || m.gossipAddr() != "" {
				t.Errorf("got ports %q and %q, want none", m.peerAddr(), m.gossipAddr())
			}
			if err := m.VerifyLeader(testkit.Context(t)); err != nil {
				t.Error(err)
			}
			want := Leader{ID: m.ID(), Name: defaultName(), APIURL: "https://solo"}
			if got, ok := m.Leader(); !ok || got != want {
				t.Errorf("got leader %+v (known: %v), want %+v", got, ok, want)
			}
		})
	}
}

func TestSolo_Restart(t *testing.T) {
	t.Parallel()
	m := startSolo(t)
	write(t, "one", m)
	again := m.restart(nil)
	waitReady(t, again)
	if !again.sm.has("one") || again.ClusterID() != m.ClusterID() {
		t.Errorf("after a restart: got %v in cluster %s, want [one] in %s",
			again.sm.all(), again.ClusterID(), m.ClusterID())
	}
}
