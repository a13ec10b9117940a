package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/openloop"
)

// writers submit jobs over HTTP in an open loop. They repeat an unacknowledged submission at the
// next master with the same idempotency key.
type writers struct {
	*openloop.Loop[acked]
	s       *site
	wire    *wire  // of the submissions
	tag     string // a label of all their jobs
	masters []int  // of each slot: the number of the master that acknowledged last
}

// acked is an acknowledged submission: its label and its job.
type acked struct{ label, id string }

// write starts writers with up to n submissions in flight.
func (s *site) write(n int, tag string) *writers {
	w := &writers{s: s, wire: s.wire(), tag: tag}
	w.wire.http.Timeout = 3 * time.Second // a frozen master accepts connections and never answers
	for i := range n {
		w.masters = append(w.masters, i) // each starts with another one
	}
	w.Loop = openloop.Start(context.Background(), openloop.Config[acked]{
		Interval: 5 * time.Millisecond, InFlight: n, Write: w.submit,
	})
	s.t.Cleanup(w.Stop)
	return w
}

// submit submits the k-th job, to the slot's last master first and then to the others in turn.
func (w *writers) submit(ctx context.Context, k, slot int) (acked, error) {
	label := strconv.Itoa(k)
	body, err := json.Marshal(ffrtmp.Spec{
		Scenario: "360p", Queue: ffrtmp.Batch,
		Labels:   map[string]string{w.tag: label},
		Requires: &ffrtmp.Requires{Labels: map[string]string{"nowhere": "true"}}, // no node can run it
	})
	if err != nil {
		return acked{}, err
	}
	for began := time.Now(); ; w.masters[slot]++ {
		masters := w.s.Masters()
		url := masters[w.masters[slot]%len(masters)].URL() + "/jobs"
		r, err := w.wire.send(ctx, http.MethodPost, url, string(body), "Idempotency-Key", w.tag+"-"+label)
		if err == nil && (r.status == http.StatusCreated || r.status == http.StatusOK) {
			return acknowledged(label, r)
		}
		retryable := err != nil || r.status == http.StatusServiceUnavailable || r.status == http.StatusGatewayTimeout
		if !retryable || time.Since(began) > patience {
			return acked{}, errors.Join(err, fmt.Errorf("submission %s at %s: %d %s", label, url, r.status, r.body))
		}
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
}

func acknowledged(label string, r reply) (acked, error) {
	var j ffrtmp.Job
	if err := json.Unmarshal(r.body, &j); err != nil || j.ID == "" {
		return acked{}, errors.Join(err, fmt.Errorf("submission %s: no job in %s", label, r.body))
	}
	return acked{label, j.ID}, nil
}

func (w *writers) count() int { return len(w.Result().Acks) }

// more waits until n more jobs have been acknowledged.
func (w *writers) more(n int) {
	w.s.t.Helper()
	enough := w.count() + n
	w.s.eventually(fmt.Sprintf("%d more acknowledged writes", n), func() bool { return w.count() >= enough })
}

// gap returns the longest time between two acknowledgements that ends after from.
func (w *writers) gap(from time.Time) time.Duration {
	longest, _ := w.Result().LongestGap(from)
	return longest
}

// verify reads all jobs back, from the leader and from every running master's own state: no
// acknowledged job is lost, and no submission has two.
func (w *writers) verify() {
	t := w.s.t
	t.Helper()
	w.Stop()
	r := w.Result()
	for _, err := range r.Failed {
		t.Errorf("refused write: %v", err)
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
	for _, a := range r.Acks {
		if submissions[a.Value.label] != a.Value.id {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("lost %d of %d acknowledged jobs", lost, len(r.Acks))
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
	t.Logf("%d acknowledged, %d found, %d lost", len(r.Acks), len(jobs), lost)
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
