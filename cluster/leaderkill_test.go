package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
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

// hintTiming has timeouts so long that the crash hint replaces a leader before they do.
var hintTiming = Timing{
	Heartbeat: 4 * time.Second, Election: 4 * time.Second, Lease: 3 * time.Second,
	Stabilization: Local.Stabilization,
}

// Killing the leader again and again loses no acknowledged write. How long writes pause is
// measured with the chaos tag: it depends on the machine.
func TestCrashHint_KilledLeader(t *testing.T) {
	killLeaders(t, 2, 20)
}

// killLeaders kills the leader so many times, each time between enough writes, checks that
// every master has every acknowledged write, and returns the pauses in ascending order.
func killLeaders(t *testing.T, kills, writes int) []time.Duration {
	t.Helper()
	children := formChildren(t, hintTiming)
	var gaps []time.Duration
	var acked []string
	for round := range kills {
		w := startWriters(t, round, 8, children)
		testkit.Eventually(t, "writes succeed", func() bool { return w.count() > writes })
		dead := leadingChild(t, children)
		killed := time.Now()
		children[dead].kill()
		before := w.count()
		testkit.Eventually(t, "writes succeed again", func() bool {
			return w.count() > before+writes && time.Since(killed) > time.Second
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
	return gaps
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
