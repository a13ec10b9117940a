package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// writers submit jobs over HTTP, each one after the other. They repeat an unacknowledged
// submission at the next master with the same idempotency key.
type writers struct {
	s    *site
	wire *wire  // of the submissions
	tag  string // a label of all their jobs
	stop func() // waits for the requests in flight

	mu      sync.Mutex
	acked   map[string]string // label of a submission → id of its job
	times   []time.Time       // of acknowledgements
	refused []string          // unexpected answers
}

// write starts n writers.
func (s *site) write(n int, tag string) *writers {
	w := &writers{s: s, wire: s.wire(), tag: tag, acked: map[string]string{}}
	w.wire.http.Timeout = 3 * time.Second // a frozen master accepts connections and never answers
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			master := i // each starts with another one
			for k := 0; ctx.Err() == nil; k++ {
				master = w.submit(context.WithoutCancel(ctx), fmt.Sprintf("%d-%d", i, k), master)
			}
		})
	}
	w.stop = func() { cancel(); all.Wait() }
	s.t.Cleanup(w.stop)
	return w
}

// submit submits one job, to master first and then to the others in turn. It returns the number
// of the master that acknowledged it.
func (w *writers) submit(ctx context.Context, label string, master int) int {
	body, _ := json.Marshal(ffrtmp.Spec{
		Scenario: "360p", Queue: ffrtmp.Batch,
		Labels:   map[string]string{w.tag: label},
		Requires: &ffrtmp.Requires{Labels: map[string]string{"nowhere": "true"}}, // no node can run it
	})
	began := time.Now()
	for ; ; master++ {
		masters := w.s.Masters()
		url := masters[master%len(masters)].URL() + "/jobs"
		r, err := w.wire.send(ctx, http.MethodPost, url, string(body), "Idempotency-Key", w.tag+"-"+label)
		if err == nil && (r.status == http.StatusCreated || r.status == http.StatusOK) {
			w.acknowledged(label, r)
			return master % len(masters)
		}
		retryable := err != nil || r.status == http.StatusServiceUnavailable || r.status == http.StatusGatewayTimeout
		if !retryable || time.Since(began) > patience {
			w.refusal(fmt.Sprintf("submission %s at %s: %d %s %v", label, url, r.status, r.body, err))
			return master % len(masters)
		}
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
}

func (w *writers) acknowledged(label string, r reply) {
	var j ffrtmp.Job
	if err := json.Unmarshal(r.body, &j); err != nil || j.ID == "" {
		w.refusal(fmt.Sprintf("submission %s: %v in %s", label, err, r.body))
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[label] = j.ID
	w.times = append(w.times, time.Now())
}

func (w *writers) refusal(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = append(w.refused, what)
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// more waits until n more jobs have been acknowledged.
func (w *writers) more(n int) {
	w.s.t.Helper()
	enough := w.count() + n
	w.s.eventually(fmt.Sprintf("%d more acknowledged writes", n), func() bool { return w.count() >= enough })
}

// gap returns the longest time between two acknowledgements that ends after from.
func (w *writers) gap(from time.Time) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := time.Duration(0)
	for i := 1; i < len(w.times); i++ {
		if w.times[i].After(from) {
			longest = max(longest, w.times[i].Sub(w.times[i-1]))
		}
	}
	return longest
}

// verify reads all jobs back, from the leader and from every running master's own state: no
// acknowledged job is lost, and no submission has two.
func (w *writers) verify() {
	t := w.s.t
	t.Helper()
	w.stop()
	for _, r := range w.refused {
		t.Errorf("refused write: %s", r)
	}
	leader := w.s.Master(w.s.leader()).URL()
	jobs, index := w.list(leader, "consistent")
	submissions := map[string]string{}
	for _, j := range jobs {
		label := j.Labels[w.tag]
		if other, ok := submissions[label]; ok {
			t.Errorf("submission %s: got jobs %s and %s, want one", label, other, j.ID)
		}
		submissions[label] = j.ID
	}
	lost := 0
	for label, id := range w.acked {
		if submissions[label] != id {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("lost %d of %d acknowledged jobs", lost, len(w.acked))
	}
	for _, m := range w.s.Masters() {
		if !m.Running() {
			continue
		}
		here, _ := w.list(m.URL(), "stale&wait=30s&index="+index)
		same := slices.EqualFunc(
			jobs,
			here,
			func(a, b ffrtmp.Job) bool { return a.ID == b.ID && a.SequenceNumber == b.SequenceNumber },
		)
		if !same {
			t.Errorf("%s: got %d jobs, want the leader's %d", m.Name(), len(here), len(jobs))
		}
	}
	t.Logf("%d acknowledged, %d found, %d lost", len(w.acked), len(jobs), lost)
}

// list returns all jobs of the writers from one master, and their index.
func (w *writers) list(master, how string) (jobs []ffrtmp.Job, index string) {
	w.s.t.Helper()
	for _, r := range w.s.wire().pages(w.s.t, master+"/jobs?limit=10000&order=asc&label="+w.tag+"&"+how) {
		var page ffrtmp.List
		r.decode(w.s.t, &page)
		jobs, index = append(jobs, page.Jobs...), r.header.Get("X-Ffrtmp-Index")
	}
	return jobs, index
}
