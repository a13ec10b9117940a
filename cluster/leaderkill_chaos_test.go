//go:build chaos

package cluster

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// The crash hint replaces a killed leader. The limit is shorter than any timeout that could
// replace the leader, too. A busy machine may make the hint miss one leader, so the median
// counts. Package e2e measures how quick the programs are.
func TestChaos_CrashHintGap(t *testing.T) {
	const limit = 3 * time.Second
	kills := 4
	if v, err := strconv.Atoi(os.Getenv("CLUSTER_TEST_KILLS")); err == nil {
		kills = v
	}
	gaps := killLeaders(t, kills, 200)
	median, longest := gaps[(len(gaps)-1)/2], gaps[len(gaps)-1]
	t.Logf("write gaps over %d kills: median %v, max %v, all %v", kills, median, longest, gaps)
	if median > limit {
		t.Errorf("median write gap: got %v, want at most %v", median, limit)
	}
}
