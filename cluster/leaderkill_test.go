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
)

// writers write to all children without pause and remember what was
// acknowledged when.
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
		w.wg.Go(func() {
			client := http.Client{Timeout: 6 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			at := i
			for k := 0; ctx.Err() == nil; k++ {
				host := hosts[at%len(hosts)]
				command := fmt.Sprintf("%d-%d-%d", round, i, k)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/", strings.NewReader(command))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := client.Do(req)
				if err != nil {
					at++ // another master
					continue
				}
				resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					w.mu.Lock()
					w.acked = append(w.acked, command)
					w.times = append(w.times, time.Now())
					w.mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(w.end)
	return w
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

func TestKilledLeaderIsReplacedByTheCrashHint(t *testing.T) {
	// No timeout comes into it before this limit, which is that of a busy machine. How quick
	// the programs are, package e2e measures.
	const limit = 3 * time.Second
	timing := Timing{Heartbeat: limit + time.Second, Election: limit + time.Second, Lease: limit, Stabilization: Local.Stabilization}
	kills := 4
	if v, err := strconv.Atoi(os.Getenv("CLUSTER_TEST_KILLS")); err == nil {
		kills = v
	}
	children := formChildren(t, timing)
	var gaps []time.Duration
	var acked []string
	for round := range kills {
		w := startWriters(t, round, 8, children)
		eventually(t, "writes flow", func() bool { return w.count() > 200 })
		dead := leadingChild(t, children)
		killed := time.Now()
		children[dead].kill()
		before := w.count()
		eventually(t, "writes flow again", func() bool {
			return w.count() > before+200 && time.Since(killed) > time.Second
		})
		gaps = append(gaps, w.gap(killed))
		t.Logf("killed at %s: gap %v", killed.Format("15:04:05.000"), gaps[round])
		w.end()
		acked = append(acked, w.acked...)

		spec := children[dead].spec
		spec.Join = nil
		for i, c := range children {
			if i != dead {
				spec.Join = append(spec.Join, c.Gossip)
			}
		}
		children[dead] = startChild(t, spec)
		eventually(t, spec.Name+" is back", func() bool { return children[dead].get("ready") == "true" })
	}
	for _, c := range children {
		eventually(t, "every acknowledged write on "+c.spec.Name, func() bool { return c.has(acked) })
	}
	slices.Sort(gaps)
	t.Logf("write gaps over %d kills: median %v, max %v, all %v", kills, gaps[len(gaps)/2], gaps[len(gaps)-1], gaps)
	if longest := gaps[len(gaps)-1]; longest > limit {
		t.Errorf("writes stood still for %v, at most %v allowed", longest, limit)
	}
}
