package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// writers write to all children without pause and record what was acknowledged
// when.
type writers struct {
	mu    sync.Mutex
	acked []string
	times []time.Time
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func startWriters(t *testing.T, round, n int, children []*child) *writers {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{stop: cancel}
	hosts := make([]string, len(children))
	for i, c := range children {
		hosts[i] = c.HTTP
	}
	for i := range n {
		w.wg.Go(func() { w.run(ctx, t, fmt.Sprintf("%d-%d", round, i), i, hosts) })
	}
	t.Cleanup(w.end)
	return w
}

// run writes until ctx ends, to another master after each failure.
func (w *writers) run(ctx context.Context, t *testing.T, name string, at int, hosts []string) {
	client := http.Client{Timeout: 6 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for k := 0; ctx.Err() == nil; k++ {
		url := "http://" + hosts[at%len(hosts)] + "/"
		command := fmt.Sprintf("%s-%d", name, k)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(command))
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			at++
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			w.add(command)
		}
	}
}

func (w *writers) add(command string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, command)
	w.times = append(w.times, time.Now())
}

func (w *writers) end() {
	w.stop()
	w.wg.Wait()
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// gap returns the longest time without an acknowledgement after from.
func (w *writers) gap(from time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest, last := time.Duration(0), from
	for _, at := range w.times {
		if at.After(from) {
			longest = max(longest, at.Sub(last))
			last = at
		}
	}
	return longest
}

// The crash hint replaces a killed leader. The limit is that of a busy machine, and
// shorter than any timeout that could replace the leader, too. A busy machine may
// make the hint miss one leader, so the median counts. Package e2e measures how
// quick the programs are.
func TestCrashHint_KilledLeader(t *testing.T) {
	const limit = 3 * time.Second
	timing := Timing{
		Heartbeat: limit + time.Second, Election: limit + time.Second, Lease: limit,
		Stabilization: Local.Stabilization,
	}
	kills := 4
	if v, err := strconv.Atoi(os.Getenv("CLUSTER_TEST_KILLS")); err == nil {
		kills = v
	}
	children := formChildren(t, timing)
	var gaps []time.Duration
	var acked []string
	for round := range kills {
		w := startWriters(t, round, 8, children)
		testkit.Eventually(t, "writes succeed", func() bool { return w.count() > 200 })
		dead := leadingChild(t, children)
		killed := time.Now()
		children[dead].kill()
		before := w.count()
		testkit.Eventually(t, "writes succeed again", func() bool {
			return w.count() > before+200 && time.Since(killed) > time.Second
		})
		gaps = append(gaps, w.gap(killed))
		t.Logf("killed at %s: gap %v", killed.Format("15:04:05.000"), gaps[round])
		w.end()
		acked = append(acked, w.acked...)
		restartChild(t, children, dead)
	}
	for _, c := range children {
		testkit.Eventually(t, "every acknowledged write on "+c.spec.Name, func() bool { return c.has(acked) })
	}
	slices.Sort(gaps)
	median, longest := gaps[(len(gaps)-1)/2], gaps[len(gaps)-1]
	t.Logf("write gaps over %d kills: median %v, max %v, all %v", kills, median, longest, gaps)
	if median > limit {
		t.Errorf("median write gap: got %v, want at most %v", median, limit)
	}
}

// restartChild starts a killed child again and waits until it is ready.
func restartChild(t *testing.T, children []*child, dead int) {
	t.Helper()
	spec := children[dead].spec
	spec.Join = nil
	for i, c := range children {
		if i != dead {
			spec.Join = append(spec.Join, c.Gossip)
		}
	}
	children[dead] = startChild(t, spec)
	testkit.Eventually(t, spec.Name+" is ready", func() bool { return children[dead].get("ready") == "true" })
}
