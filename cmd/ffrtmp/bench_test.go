package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/openloop"
)

// pause is how long an election of the fake master takes.
const pause = 600 * time.Millisecond

// queue makes a fake master take submissions, give them out and take results.
type queue struct {
	mu        sync.Mutex
	submitted []ffrtmp.Job
	byKey     map[string]ffrtmp.Job // by idempotency key
	waiting   []ffrtmp.Job
	completed int
	pauseAt   int       // how many submissions are taken before pause; 0: all
	paused    time.Time // when the first was refused
	nodes     map[string]bool
	canceled  int
}

func newQueue(m *fakeMaster) *queue {
	q := &queue{nodes: map[string]bool{}, byKey: map[string]ffrtmp.Job{}}
	m.handle("POST /jobs", func(w http.ResponseWriter, r *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		key := r.Header.Get(ffrtmp.IdempotencyHeader)
		if j, ok := q.byKey[key]; ok { // repeated by a client that was too slow for the first answer
			_ = json.NewEncoder(w).Encode(j)
			return
		}
		if q.pauseAt > 0 && len(q.submitted) == q.pauseAt && q.paused.IsZero() {
			q.paused = time.Now()
		}
		if time.Since(q.paused) < pause {
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, ffrtmp.NoLeader, "an election")
			return
		}
		n := len(q.submitted) + 1
		j := ffrtmp.Job{
			ID: fmt.Sprintf("0198a000-0000-7000-8000-%012d", n), SequenceNumber: uint64(n),
			Attempt: 1, Lease: "lease",
		}
		q.submitted, q.waiting, q.byKey[key] = append(q.submitted, j), append(q.waiting, j), j
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(j)
	})
	m.handle("POST /jobs/claim", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		answer := ffrtmp.ClaimResponse{Jobs: q.waiting[:1]}
		q.waiting = q.waiting[1:]
		_ = json.NewEncoder(w).Encode(answer)
	})
	m.handle("POST /results", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.completed++
		_, _ = fmt.Fprint(w, `{"status":"success"}`)
	})
	m.handle("GET /jobs", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		_ = json.NewEncoder(w).Encode(ffrtmp.List{Jobs: q.submitted, Count: len(q.submitted)})
	})
	m.handle("POST /jobs/cancel", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.canceled++
		_, _ = fmt.Fprintf(w, `{"count":%d}`, len(q.waiting))
	})
	m.answer("POST /nodes/register", http.StatusCreated, ffrtmp.Registered{})
	return q
}

// A bench counts every operation once, and cancels its jobs.
func TestBench(t *testing.T) {
	for _, mode := range []benchMode{modeSubmit, modeCycle} {
		t.Run(string(mode), func(t *testing.T) {
			m := newFakeMaster(t)
			q := newQueue(m)
			r := m.run(t, "bench", "--mode", string(mode), "--clients", "1,3", "--duration", "200ms", "-o", "json")
			var document struct {
				Mode benchMode
				Runs []run
			}
			if err := json.Unmarshal([]byte(r.out), &document); err != nil || r.code != exitDone ||
				document.Mode != mode || len(document.Runs) != 2 {
				t.Fatalf("got code %d, %v, output %s, errors %s, want two runs of mode %s", r.code, err, r.out, r.err,
					mode)
			}
			total := 0
			for i, run := range document.Runs {
				total += run.Operations
				if run.Clients != []int{1, 3}[i] || run.Errors != 0 || run.PerSecond <= 0 || run.P50 <= 0 ||
					run.P99 < run.P50 {
					t.Errorf("run %d: got %+v, want measured operations without errors", i, run)
				}
			}
			if total != len(q.submitted) || mode == modeCycle && total != q.completed {
				t.Errorf("got %d operations measured for %d submitted and %d completed, want equal numbers", total,
					len(q.submitted), q.completed)
			}
			if q.canceled != 1 {
				t.Errorf("got %d cancellations, want 1", q.canceled)
			}
		})
	}
}

// A refusal ends a bench at once.
func TestBench_Refused(t *testing.T) {
	m := newFakeMaster(t)
	m.handle("POST /jobs", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, ffrtmp.Forbidden, "this key may only read")
	})
	m.answer("POST /jobs/cancel", http.StatusOK, map[string]int{"count": 0})
	for _, args := range [][]string{{"bench", "--duration", "1h"}, {"bench", "--failover", "--duration", "1h"}} {
		r := m.run(t, args...) // ends after 3 minutes
		if r.code != exitFailed {
			t.Errorf("%q: got code %d, want %d", args, r.code, exitFailed)
		}
		mustContain(t, "the error", r.err, "this key may only read")
	}
}

// Writes that an election delays are all acknowledged, once each.
func TestFailover_Election(t *testing.T) {
	m := newFakeMaster(t)
	newQueue(m).pauseAt = 10
	r := invokePatiently(t, time.Minute, m.env(), "", "bench", "--failover", "--duration", "2s", "-o", "json")
	var g gapReport
	if err := json.Unmarshal([]byte(r.out), &g); err != nil || r.code != exitDone {
		t.Fatalf("got code %d, %v, output %s, errors %s, want code %d and a report", r.code, err, r.out, r.err,
			exitDone)
	}
	if g.LongestGap <= 0 || g.Lost != 0 || g.Doubled != 0 || g.Acknowledged != g.Sent {
		t.Errorf("got %+v, want a gap and nothing lost or doubled", g)
	}
}

// The report has the longest gap between two acknowledgements, and its beginning since the start.
func TestFailover_Gap(t *testing.T) {
	w := writes{Start: time.Now(), Sent: 5}
	for _, ms := range []time.Duration{10, 20, 620, 630, 700} {
		at := w.Start.Add(ms * time.Millisecond)
		w.Acks = append(w.Acks, openloop.Ack[submission]{Due: at, At: at})
	}
	if g := summarize(w); g.LongestGap != 600 || g.GapAt != 0.02 || g.Acknowledged != 5 {
		t.Errorf("got %+v, want a gap of 600 ms at 0.02 s and 5 acknowledged", g)
	}
}

// Lost and doubled writes are counted.
func TestFailover_LostAndDoubled(t *testing.T) {
	m := newFakeMaster(t)
	q := newQueue(m)
	m.handle("GET /jobs", func(w http.ResponseWriter, _ *http.Request) {
		q.mu.Lock()
		defer q.mu.Unlock()
		jobs := append([]ffrtmp.Job{{ID: "another"}}, q.submitted[2:]...)
		_ = json.NewEncoder(w).Encode(ffrtmp.List{Jobs: jobs, Count: len(jobs)})
	})
	r := invokePatiently(t, time.Minute, m.env(), "", "bench", "--failover", "--duration", "1s")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "2 acknowledged writes lost, 1 doubled")
}
