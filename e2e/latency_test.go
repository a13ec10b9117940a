//go:build chaos

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// An idle agent starts a submitted job at once.
func TestChaos_IdleAgentStartsAtOnce(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3, Agents: 1})
	s.voters(3)
	var claimed, encoding []time.Duration
	for range 20 {
		began := time.Now()
		id := s.submit(
			pattern("360p10-h264", map[string]any{"output_mode": "null", "duration": 0.2, "preset": "ultrafast"}),
		).ID
		s.within(
			patience,
			"ffmpeg runs",
			func() bool { return len(s.ffmpegs(s.Agent(0))) == 1 || s.look(id).Status.Terminal() },
		)
		encoding = append(encoding, time.Since(began))
		j := s.finished(id)
		if j.Status != ffrtmp.Completed {
			t.Fatalf("got job %+v, want completed", j)
		}
		claimed = append(claimed, j.StartedAt.Sub(j.CreatedAt))
	}
	slices.Sort(claimed)
	slices.Sort(encoding)
	t.Logf("submission to claim: median %s, longest %s; to a running ffmpeg: median %s, longest %s",
		claimed[10], claimed[19], encoding[10], encoding[19])
	if claimed[10] > time.Second || encoding[10] > time.Second {
		t.Errorf("got medians of %s and %s, want at most 1 s", claimed[10], encoding[10])
	}
}
