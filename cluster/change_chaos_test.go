//go:build chaos

package cluster

import (
	"errors"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func hasMember(m *master, id string) bool {
	_, err := findMember(m.Members(), id)
	return err == nil
}

// A removed master, the leader too, neither votes nor leads nor returns, whether it was
// running or not, and says why.
func TestChaos_Remove(t *testing.T) {
	t.Parallel()
	masters, s := formSet(t, 4)
	running := leader(t, masters...)
	rest := without(masters, running)
	change(t, s, Remove, running.Name(), masters...)
	testkit.Eventually(t, "the removed master knows", func() bool { return errors.Is(running.Ready(), ErrRemoved) })
	stopped := follower(t, rest...)
	stopped.stop()
	rest = without(rest, stopped)
	change(t, s, Remove, stopped.ID(), rest...)

	join := []string{rest[0].gossipAddr(), rest[1].gossipAddr()}
	for _, removed := range []*master{running, stopped} {
		again := removed.restart(func(c *Config) { c.Join = join })
		testkit.Eventually(t, "the returned master knows", func() bool { return errors.Is(again.Ready(), ErrRemoved) })
	}
	write(t, "after", rest...)
	waitApplied(t, "after", rest...)
	l := leader(t, rest...)
	if got := len(l.servers()); got != 2 {
		t.Errorf("got %d members, want 2", got)
	}
	for _, removed := range []*master{running, stopped} {
		if hasMember(l, removed.ID()) {
			t.Errorf("%s is a member again", removed.cfg.Name)
		}
	}
}
