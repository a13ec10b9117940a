package e2e

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// load sends requests to masters all the time, on new connections and old ones. Each must succeed; one
// without a leader is repeated, because a busy machine may hold an election.
type load struct {
	s   *site
	key atomic.Pointer[string]
	tls *certs.Store

	stops map[*devcluster.Master]func() // each waits for the request in flight

	mu     sync.Mutex
	jobs   []string
	failed []string
}

func (s *site) load(masters ...*devcluster.Master) *load {
	store, err := certs.Open(certs.Files{CA: s.CAFile()}, nil)
	s.must(err)
	l := &load{s: s, tls: store, stops: map[*devcluster.Master]func(){}}
	l.use(s.APIKey())
	for _, m := range masters {
		l.add(m)
	}
	s.t.Cleanup(l.end)
	return l
}

// add begins to send requests to a master.
func (l *load) add(m *devcluster.Master) {
	stop, done := make(chan struct{}), make(chan struct{})
	l.stops[m] = func() { close(stop); <-done }
	go func() {
		defer close(done)
		l.run(m, stop)
	}()
}

// drop sends no more requests to a master.
func (l *load) drop(m *devcluster.Master) {
	l.stops[m]()
	delete(l.stops, m)
}

// use sends the following requests with another API key.
func (l *load) use(key string) { l.key.Store(&key) }

func (l *load) run(m *devcluster.Master, stop <-chan struct{}) {
	transport := &http.Transport{DialTLSContext: l.tls.DialTLS, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	w := &wire{http: &http.Client{Transport: transport, Timeout: patience}}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		w.key = *l.key.Load()
		if n%3 == 0 {
			transport.CloseIdleConnections()
		}
		id, err := l.submit(w, m.URL()+"/jobs", rand.Text())
		l.mu.Lock()
		if err != nil {
			l.failed = append(l.failed, err.Error())
		} else {
			l.jobs = append(l.jobs, id)
		}
		l.mu.Unlock()
	}
}

// submit submits a job that no node can run.
func (l *load) submit(w *wire, url, key string) (id string, err error) {
	const body = `{"scenario":"360p","queue":"batch","requires":{"labels":{"nowhere":"true"}}}`
	for {
		r, err := w.send(l.s.t.Context(), http.MethodPost, url, body, "Idempotency-Key", key)
		if err != nil {
			return "", err
		}
		var j struct{ ID, Code string }
		if err := json.Unmarshal(r.body, &j); err != nil {
			return "", err
		}
		switch {
		case r.status == http.StatusCreated || r.status == http.StatusOK:
			return j.ID, nil
		case j.Code != string(ffrtmp.NoLeader) && j.Code != string(ffrtmp.UnknownOutcome):
			return "", fmt.Errorf("%s: got %d %s", url, r.status, r.body)
		}
	}
}

func (l *load) count() (done, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.jobs), len(l.failed)
}

// more waits until each master has served requests on new connections.
func (l *load) more() {
	l.s.t.Helper()
	done, _ := l.count()
	l.s.eventually("more requests succeed", func() bool {
		now, failed := l.count()
		return now >= done+30 || failed > 0
	})
	if _, failed := l.count(); failed > 0 {
		l.verify()
		l.s.t.FailNow()
	}
}

func (l *load) end() {
	for m := range l.stops {
		l.drop(m)
	}
}

// verify ends the load: no request failed, and each acknowledged job exists.
func (l *load) verify() {
	l.s.t.Helper()
	l.end()
	for _, failed := range l.failed[:min(len(l.failed), 5)] {
		l.s.t.Errorf("failed request: %s", failed)
	}
	found := map[string]bool{}
	for _, r := range l.s.wire().pages(l.s.t, l.s.Master(l.s.leader()).URL()+"/jobs?limit=10000&consistent") {
		var page ffrtmp.List
		r.decode(l.s.t, &page)
		for _, j := range page.Jobs {
			found[j.ID] = true
		}
	}
	lost := 0
	for _, id := range l.jobs {
		if !found[id] {
			lost++
		}
	}
	l.s.t.Logf("%d requests, %d failed, %d jobs lost", len(l.jobs)+len(l.failed), len(l.failed), lost)
	if lost > 0 || len(l.failed) > 0 {
		l.s.t.Errorf("got %d failed requests and %d lost jobs, want none", len(l.failed), lost)
	}
}
