package e2e

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// Default, consistent and indexed stale reads of any master see an acknowledged write.
func TestReads_Consistency(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.wire()
	for i := range 30 {
		writer, reader := s.Master(i%3).URL(), s.Master((i/3)%3).URL()
		var j ffrtmp.Job
		r := w.call(t, "POST", writer+"/jobs", `{"scenario":"360p"}`).want(t, 201)
		r.decode(t, &j)
		index := r.header.Get("X-Ffrtmp-Index")
		if r.header.Get("Location") != "/jobs/"+j.ID {
			t.Errorf("got Location %q", r.header.Get("Location"))
		}
		for _, how := range []string{"?consistent", "", "?stale&wait=10s&index=" + index} {
			var seen ffrtmp.Job
			r := w.call(t, "GET", reader+"/jobs/"+j.ID+how, "").want(t, 200)
			r.decode(t, &seen)
			reflects, _ := strconv.Atoi(r.header.Get("X-Ffrtmp-Index"))
			written, _ := strconv.Atoi(index)
			if seen.ID != j.ID || written == 0 || reflects < written {
				t.Fatalf("%s: got %+v at index %d, want index %d or later", how, seen, reflects, written)
			}
		}
	}
	far := w.call(t, "GET", s.Master(0).URL()+"/jobs?stale&index=1000000000&wait=300ms", "")
	if far.refused(t, 503, ffrtmp.NoLeader); far.took < 300*time.Millisecond {
		t.Errorf("got an answer after %s, want at least 300 ms", far.took)
	}
}

// Every answer names its master, the leader, the index and the last contact.
func TestReads_Headers(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	leader := s.leader()
	leaderID, w := s.nodeID(s.Master(leader)), s.wire()
	for i, m := range s.Masters() {
		own := s.nodeID(m)
		for _, test := range []struct {
			method, path string
			status       int
			servedBy     string
		}{
			{"GET", "/jobs", 200, leaderID},
			{"GET", "/jobs?stale", 200, own},
			{"GET", "/jobs?stale&max_stale=10s", 200, own},
			{"GET", "/jobs?consistent", 200, leaderID},
			{"GET", "/jobs/123456", 404, leaderID},
			{"POST", "/jobs", 400, leaderID},
			{"POST", "/nothing", 404, own},
			{"GET", "/cluster", 200, leaderID},
			{"GET", "/health", 200, own},
			{"GET", "/health/ready", 200, own},
			{"GET", "/health/leader", map[bool]int{true: 200, false: 429}[i == leader], own},
		} {
			r := w.call(t, test.method, m.URL()+test.path, "").want(t, test.status)
			h := r.header
			contact, err := strconv.Atoi(h.Get("X-Ffrtmp-Last-Contact"))
			if err != nil || contact < 0 || contact > 10_000 {
				t.Errorf(
					"%s %s at %s: got last contact %q",
					test.method,
					test.path,
					m.Name(),
					h.Get("X-Ffrtmp-Last-Contact"),
				)
			}
			if index, err := strconv.Atoi(h.Get("X-Ffrtmp-Index")); err != nil || index < 0 {
				t.Errorf("%s %s at %s: got index %q", test.method, test.path, m.Name(), h.Get("X-Ffrtmp-Index"))
			}
			if h.Get("X-Ffrtmp-Known-Leader") != "true" || h.Get("X-Ffrtmp-Leader") != s.Master(leader).URL() ||
				h.Get("X-Ffrtmp-Served-By") != test.servedBy {
				t.Errorf(
					"%s %s at %s (id %s, leader %s): got headers %v",
					test.method,
					test.path,
					m.Name(),
					own,
					leaderID,
					h,
				)
			}
		}
	}
	stranger := &wire{http: w.http}
	r := stranger.call(t, "GET", s.Master(0).URL()+"/jobs", "")
	if r.refused(t, 401, ffrtmp.Unauthenticated); r.header.Get("X-Ffrtmp-Served-By") == "" {
		t.Errorf("got headers %v, want a master's id", r.header)
	}
}

// Without a leader writes are held for 5 s and then refused; a leader in time carries them out.
func TestWrites_WithoutLeader(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w := s.wire()
	id := s.submit(pattern("360p", nil)).ID
	alone := s.Master(s.follower())
	s.eventually("the follower has the job", func() bool {
		return w.call(t, "GET", alone.URL()+"/jobs/"+id+"?stale", "").status == 200
	})
	for _, m := range s.Masters() {
		if m != alone {
			m.Kill()
		}
	}
	s.eventually("it notices the lost leader", func() bool {
		return w.call(t, "GET", alone.URL()+"/health/leader", "").status == 503
	})
	var held sync.WaitGroup
	for _, request := range []struct{ method, path string }{
		{"POST", "/jobs"}, {"GET", "/jobs"}, {"GET", "/jobs?consistent"}, {"GET", "/jobs?stale&max_stale=1ms"},
	} {
		held.Go(func() {
			r, err := w.send(t.Context(), request.method, alone.URL()+request.path, `{"scenario":"360p"}`)
			if err != nil {
				t.Error(err)
				return
			}
			t.Logf("%s %s: %d after %s", request.method, request.path, r.status, r.took.Round(time.Millisecond))
			var e struct{ Code ffrtmp.Code }
			r.decode(t, &e)
			if r.status != 503 || e.Code != ffrtmp.NoLeader || r.header.Get("Retry-After") == "" ||
				r.header.Get("X-Ffrtmp-Known-Leader") != "false" {
				t.Errorf(
					"%s %s: got %d %s, headers %v, want no_leader",
					request.method,
					request.path,
					r.status,
					r.body,
					r.header,
				)
			}
			if r.took < 4*time.Second || r.took > 8*time.Second {
				t.Errorf("%s %s: held for %s, want 5 s", request.method, request.path, r.took)
			}
		})
	}
	r := w.call(t, "GET", alone.URL()+"/jobs/"+id+"?stale", "").want(t, 200)
	if r.took > 4*time.Second || r.header.Get("X-Ffrtmp-Leader") != "" {
		t.Errorf("stale read: got an answer after %s, headers %v, want it at once", r.took, r.header)
	}
	w.call(t, "GET", alone.URL()+"/health", "").want(t, 200)
	w.call(t, "GET", alone.URL()+"/health/ready", "").want(t, 503)
	held.Wait()

	// A request that is being held is carried out when a leader comes in time: the first
	// or, on a busy machine, one after it.
	held.Go(func() {
		for began := time.Now(); time.Since(began) < patience; {
			r, err := w.send(t.Context(), http.MethodPost, alone.URL()+"/jobs", `{"scenario":"360p"}`)
			switch {
			case err == nil && r.status == 201:
				return
			case err != nil || r.status != 503 || r.took < 4*time.Second:
				t.Errorf("after %s: got %d %s (%v), want 201", r.took, r.status, r.body, err)
				return
			}
		}
		t.Error("got no accepted write, want one")
	})
	s.must(s.Start(s.soon()))
	held.Wait()
}
