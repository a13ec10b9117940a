package cluster

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// waitMisfit waits until a master names another one and what does not fit.
func waitMisfit(t *testing.T, m *master, parts ...string) {
	t.Helper()
	testkit.Eventually(t, m.cfg.Version+" names "+strings.Join(parts, ", "), func() bool {
		for _, text := range m.Misfits() {
			found := true
			for _, part := range parts {
				found = found && strings.Contains(text, part)
			}
			if found {
				return true
			}
		}
		return false
	})
}

// A wrong gossip key, none, and another cluster name are named on both sides.
func TestMisfit_Gossip(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	m := start(t, a.config("m0", 1))
	waitReady(t, m)
	if got := m.Misfits(); len(got) != 0 {
		t.Fatalf("got misfits %q without any other master, want none", got)
	}
	for i, tt := range []struct {
		change      func(*Config)
		there, here string
	}{
		{
			func(c *Config) { c.GossipKeys = [][]byte{[]byte("fedcba9876543210")} },
			"another gossip key", "another gossip key",
		},
		{func(c *Config) { c.GossipKeys = nil }, "this master has no --gossip-key-file", "does not encrypt"},
		{func(c *Config) { c.Cluster = "other" }, "--cluster", "--cluster"},
	} {
		t.Run(tt.there, func(t *testing.T) {
			cfg := a.config("x"+strconv.Itoa(i), 0, m.gossipAddr())
			tt.change(&cfg)
			other := start(t, cfg)
			waitMisfit(t, other, m.gossipAddr(), tt.there)
			waitMisfit(t, m, "127.0.0.1", tt.here)
			if other.Ready() == nil {
				t.Error("got it ready, want it not")
			}
			other.stop()
		})
	}
}

// Masters that expect different numbers form nothing, and each names the other.
func TestMisfit_Expect(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	one := start(t, a.config("m0", 2))
	cfg := a.config("m1", 3, one.gossipAddr())
	cfg.Name = "other"
	two := start(t, cfg)
	waitMisfit(t, one, "other", two.gossipAddr(), "--bootstrap-expect 3", "with 2")
	waitMisfit(t, two, one.gossipAddr(), "--bootstrap-expect 2", "with 3")
}

// Two clusters that meet stay apart, work on, and each names the other.
func TestMisfit_OtherCluster(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	one := start(t, a.config("m0", 1))
	two := start(t, a.config("m1", 1))
	waitReady(t, one, two)
	again := two.restart(func(c *Config) { c.Join = []string{one.gossipAddr()} })
	waitMisfit(t, one, again.gossipAddr(), again.ClusterID(), one.ClusterID())
	waitMisfit(t, again, one.gossipAddr(), again.ClusterID(), one.ClusterID())
	waitReady(t, one, again)
	if got := len(one.servers()) + len(again.servers()); got != 2 {
		t.Errorf("got %d members, want two clusters of one", got)
	}
}

// A misfit is logged once, and forgotten when it is not met any more.
func TestMisfits_Forget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs := &testkit.Buffer{}
		m := newMisfits(hclog.New(&hclog.LoggerOptions{Output: logs}))
		for range 30 {
			m.meet("m2", "reason")
			time.Sleep(time.Second)
		}
		if got := m.list(); len(got) != 1 || strings.Count(logs.String(), "reason=reason") != 1 {
			t.Errorf("got %q, log %s, want one misfit and one line", got, logs)
		}
		time.Sleep(misfitMemory)
		if got := m.list(); len(got) != 0 {
			t.Errorf("got %q after a time, want none", got)
		}
		m.meet("m2", "reason")
		if strings.Count(logs.String(), "reason=reason") != 2 {
			t.Errorf("got log %s, want the return logged", logs)
		}
	})
}
