package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// holdTime is how long a master holds a request without a leader: shorter gaps are invisible
// to callers. On a shared disk an election alone takes seconds; TestChaos_TenKilledLeaders has
// the limits for a quiet machine.
const holdTime = 5 * time.Second

// killLeaders kills the leader n times under load, restarts it each time, and returns the
// write gaps, sorted.
func (s *site) killLeaders(w *writers, n int) []time.Duration {
	s.t.Helper()
	var gaps []time.Duration
	for range n {
		w.more(100)
		leader := s.Master(s.leader())
		killed := time.Now()
		leader.Kill()
		w.more(100)
		gaps = append(gaps, w.gap(killed))
		s.restart(leader)
	}
	slices.Sort(gaps)
	s.t.Logf("%d killed leaders: write gaps: median %s, longest %s", n, gaps[n/2], gaps[n-1])
	return gaps
}

// Killed leaders lose and duplicate nothing, and writes resume soon.
func TestLeader_KillsLoseNothing(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	w := s.write(8, "kills")
	gaps := s.killLeaders(w, 3)
	w.verify()
	checkGaps(t, gaps, 2*time.Second, holdTime)
}

// checkGaps compares the write gaps, sorted, with their limits.
func checkGaps(t *testing.T, gaps []time.Duration, median, longest time.Duration) {
	t.Helper()
	if got := gaps[len(gaps)/2]; got > median {
		t.Errorf("got a median write gap of %s, want at most %s", got, median)
	}
	if got := gaps[len(gaps)-1]; got > longest {
		t.Errorf("got a longest write gap of %s, want at most %s", got, longest)
	}
}
