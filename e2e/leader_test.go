package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

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

// Killed leaders lose and duplicate nothing; TestChaos_TenKilledLeaders measures the write gaps.
func TestLeader_KillsLoseNothing(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	w := s.write(8, "kills")
	s.killLeaders(w, 3)
	w.verify()
}
