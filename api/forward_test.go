package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

// peerPort is a master's side of the peer port: its ForwardHandler behind TLS and
// HTTP/2, and a transport to it that classifies errors as cluster's does.
type peerPort struct {
	server *httptest.Server
	seen   atomic.Int64
	last   atomic.Pointer[http.Request]
	cut    atomic.Bool // cut the connection after serving the next request
	onCut  func()
	refuse atomic.Bool // refuses connections
}

func newPeerPort(t *testing.T, m *master) *peerPort {
	p := &peerPort{}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.seen.Add(1)
		p.last.Store(r.Clone(context.WithoutCancel(r.Context())))
		if p.cut.CompareAndSwap(true, false) {
			m.api.ForwardHandler().ServeHTTP(httptest.NewRecorder(), r)
			if p.onCut != nil {
				p.onCut()
			}
			panic(http.ErrAbortHandler)
		}
		m.api.ForwardHandler().ServeHTTP(w, r)
	}))
	p.server.EnableHTTP2 = true
	p.server.StartTLS()
	t.Cleanup(p.server.Close)
	return p
}

// transport connects a master to the peer port of the leader that it knows.
type transport struct {
	*peerPort
	from *master
}

func (p transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := p.from.cluster.Leader(); !ok {
		return nil, fmt.Errorf("%w: %w", cluster.ErrNotSent, cluster.ErrNoLeader)
	}
	if p.refuse.Load() {
		return nil, fmt.Errorf("dial: %w", cluster.ErrNotSent)
	}
	r = r.Clone(r.Context())
	r.URL.Host = p.server.Listener.Addr().String()
	resp, err := p.server.Client().Transport.RoundTrip(r)
	if err != nil {
		err = fmt.Errorf("%w: %w", cluster.ErrUnknownOutcome, err)
	}
	return resp, err
}

// pair is a leader and a follower over one state.
func pair(t *testing.T) (leader, follower *master, peer *peerPort) {
	leader = newMaster(t)
	follower = startMaster(t, "m2", leader)
	peer = newPeerPort(t, leader)
	follower.cluster.transport = transport{peer, follower}
	follower.follow(leader)
	return leader, follower, peer
}

func (m *master) follow(leader *master) {
	m.cluster.setLeader(&cluster.Leader{ID: leader.cluster.id, APIURL: "https://" + leader.cluster.id + ":8080"})
}

// A follower forwards writes and reads to the leader.
func TestForward(t *testing.T) {
	_, follower, peer := pair(t)
	r := follower.want(201, "POST", "/jobs", `{"scenario":"720p"}`, "X-Request-Id", "abc-1", "Traceparent", "00-1-2-03",
		"X-Forwarded-For", "10.9.9.9", "X-Ffrtmp-Forwarded", "evil")
	for name, want := range map[string]string{
		ffrtmp.ServedByHeader: "m1", ffrtmp.LeaderHeader: "https://m1:8080", ffrtmp.KnownLeaderHeader: "true",
		ffrtmp.IndexHeader: "1", ffrtmp.RequestIDHeader: "abc-1", ffrtmp.LastContactHeader: "0",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("answer's %s: got %q, want %q", name, got, want)
		}
	}
	sent := peer.last.Load()
	for name, want := range map[string]string{
		"Authorization": "Bearer " + testKey, ffrtmp.RequestIDHeader: "abc-1", "Traceparent": "00-1-2-03",
		"X-Forwarded-For": "", forwardedHeader: "m2",
	} {
		if got := sent.Header.Get(name); got != want {
			t.Errorf("forwarded %s: got %q, want %q", name, got, want)
		}
	}
	if got := follower.job("1"); got.Status != ffrtmp.Pending {
		t.Errorf("got %+v through the follower, want a pending job", got)
	}
	for path, status := range map[string]int{"/jobs/99": 404, "/jobs?limit=x": 400} {
		if r := follower.want(status, "GET", path, ""); r.Header.Get(ffrtmp.ServedByHeader) != "m1" {
			t.Errorf("%s: got an answer by %q, want m1", path, r.Header.Get(ffrtmp.ServedByHeader))
		}
	}
	follower.want(200, "GET", "/jobs?limit=1&order=asc", "")
	if got := peer.last.Load().URL.RawQuery; got != "limit=1&order=asc" {
		t.Errorf("forwarded query: got %q, want the client's", got)
	}
	// The follower refuses the keys that the leader refuses.
	before := peer.seen.Load()
	follower.want(401, "POST", "/jobs", `{"scenario":"720p"}`, "Authorization", "Bearer wrong")
	if peer.seen.Load() != before {
		t.Errorf("got %d forwarded requests without a key, want none", peer.seen.Load()-before)
	}
	// And the leader checks again.
	resp, err := peer.server.Client().Post(peer.server.URL+"/jobs", "application/json",
		strings.NewReader(`{"scenario":"720p"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("got %d from the peer port without a key, want 401", resp.StatusCode)
	}
}

// A forwarded request is not forwarded again.
func TestForward_OneHop(t *testing.T) {
	_, follower, _ := pair(t)
	peer := newPeerPort(t, follower)
	req, err := http.NewRequestWithContext(t.Context(), "POST", peer.server.URL+"/jobs",
		strings.NewReader(`{"scenario":"720p"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := peer.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || !strings.Contains(string(body), "no_leader") {
		t.Errorf("got %d %s, want 503 no_leader", resp.StatusCode, body)
	}
}

// A request waits for a leader to be elected.
func TestForward_WaitsForALeader(t *testing.T) {
	leader, follower, _ := pair(t)
	follower.cluster.setLeader(nil)
	answered := follower.start("POST", "/jobs", `{"scenario":"720p"}`)
	<-time.After(300 * time.Millisecond)
	select {
	case r := <-answered:
		t.Fatalf("got %d %s before a leader, want a held request", r.StatusCode, r.body)
	default:
	}
	follower.follow(leader)
	if r := <-answered; r.StatusCode != 201 {
		t.Errorf("got %d %s, want 201", r.StatusCode, r.body)
	}
}

// Without a leader a request is refused after five seconds.
func TestForward_NoLeader(t *testing.T) {
	t.Parallel()
	leader, follower, peer := pair(t)
	follower.cluster.setLeader(nil)
	leader.cluster.setLeader(nil)
	leader.cluster.transport = transport{peer, leader}
	unreachable := startMaster(t, "m3", leader)
	unreachable.cluster.transport = transport{peer, unreachable}
	unreachable.follow(leader)
	peer.refuse.Store(true)
	var all sync.WaitGroup
	for name, m := range map[string]*master{
		"no leader": follower, "one that has lost its leadership": leader, "a leader out of reach": unreachable,
	} {
		all.Go(func() {
			start := time.Now()
			r, err := m.try(context.Background(), "POST", "/jobs", `{"scenario":"720p"}`)
			took := time.Since(start)
			if err != nil || r.StatusCode != 503 || !strings.Contains(string(r.body), "no_leader") ||
				r.Header.Get("Retry-After") == "" {
				t.Errorf("%s: got %v %v %s, want 503 no_leader with Retry-After", name, err, r.Response, r.body)
			}
			if took < leaderWait || took > leaderWait+5*time.Second {
				t.Errorf("%s: got an answer after %s, want one after %s", name, took, leaderWait)
			}
		})
	}
	all.Wait()
	leader.lead()
	if n := len(leader.list("")); n != 0 {
		t.Errorf("got %d jobs, want none", n)
	}
}

// The leader serves the request, but its answer is lost.
func TestForward_AnswerLost(t *testing.T) {
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
		jobs                     int
	}{
		{
			name: "no key", method: "POST", path: "/jobs", body: `{"scenario":"720p"}`, status: 504,
			code: "unknown_outcome", jobs: 2,
		},
		{
			name: "a key", method: "POST", path: "/jobs", body: `{"scenario":"720p"}`,
			header: []string{"Idempotency-Key", "k"}, status: 200, jobs: 2,
		},
		{name: "a read", method: "GET", path: "/jobs/1", status: 200, jobs: 1},
		{
			name: "a change without a key", method: "PATCH", path: "/jobs/1", body: `{"priority":"low"}`, status: 504,
			code: "unknown_outcome", jobs: 1,
		},
		{
			name: "an agent's heartbeat", method: "POST", path: "/nodes/" + nodeA + "/heartbeat",
			body:   `{"attempts":[]}`,
			status: 200, jobs: 1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			leader, follower, peer := pair(t)
			leader.register(nodeA)
			leader.submit(`{"scenario":"720p"}`)
			peer.cut.Store(true)
			r := follower.request(c.method, c.path, c.body, c.header...)
			if r.StatusCode != c.status || !strings.Contains(string(r.body), c.code) {
				t.Errorf("got %d %s, want %d %s", r.StatusCode, r.body, c.status, c.code)
			}
			if n := len(leader.list("")); n != c.jobs {
				t.Errorf("got %d jobs, want %d", n, c.jobs)
			}
		})
	}
}

// The answer is lost, then the leader: later failures do not prove that the first try did nothing.
func TestForward_UnknownOutcome(t *testing.T) {
	t.Parallel()
	leader, follower, peer := pair(t)
	peer.cut.Store(true)
	peer.onCut = func() { follower.cluster.setLeader(nil) }
	r := follower.request("POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "k")
	if r.StatusCode != 504 || !strings.Contains(string(r.body), "unknown_outcome") {
		t.Errorf("got %d %s, want 504 unknown_outcome", r.StatusCode, r.body)
	}
	if n := len(leader.list("")); n != 1 {
		t.Errorf("got %d jobs, want 1", n)
	}
}

// The leader itself loses leadership during a write.
func TestForward_LeadershipLost(t *testing.T) {
	for _, c := range []struct {
		name   string
		lost   error
		header []string
		status int
	}{
		{name: "before the command was taken", lost: raft.ErrNotLeader, status: 201},
		{name: "after", lost: raft.ErrLeadershipLost, status: 504},
		{
			name: "after, with a key", lost: raft.ErrLeadershipLost, header: []string{"Idempotency-Key", "k"},
			status: 201,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, next, _ := pair(t)
			old.cluster.transport = transport{newPeerPort(t, next), old}
			old.log.mu.Lock()
			old.log.fail = func() error {
				old.log.fail = nil
				next.cluster.setLeader(&cluster.Leader{ID: "m2"})
				old.follow(next)
				return c.lost
			}
			old.log.mu.Unlock()
			r := old.want(c.status, "POST", "/jobs", `{"scenario":"720p"}`, c.header...)
			if c.status == 201 && r.Header.Get(ffrtmp.ServedByHeader) != "m2" {
				t.Errorf("got an answer by %s, want m2", r.Header.Get(ffrtmp.ServedByHeader))
			}
		})
	}
}

// Long polls and streams work through a follower.
func TestForward_LongPollsAndStreams(t *testing.T) {
	leader, follower, _ := pair(t)
	follower.register(nodeA)
	claimed := make(chan ffrtmp.Job, 1)
	go func() { claimed <- follower.claimWait(nodeA, "10s") }()
	<-time.After(100 * time.Millisecond)
	id := follower.submit(`{"scenario":"720p"}`).ID
	j := <-claimed
	if j.ID != id {
		t.Fatalf("got job %s, want %s", j.ID, id)
	}
	lines := follower.followLog(id)
	beat := func(offset int, text string) {
		follower.want(
			200,
			"POST",
			"/nodes/"+nodeA+"/heartbeat",
			fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"log_tail":%q,"log_offset":%d}]}`, id,
				j.Lease, text, offset),
		)
	}
	beat(0, "one\n")
	wantLine(t, lines, "one\n")
	beat(4, "two\n")
	wantLine(t, lines, "two\n")

	commands := follower.start("POST", "/nodes/"+nodeA+"/heartbeat",
		fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q}],"wait":"10s"}`, id, j.Lease))
	<-time.After(100 * time.Millisecond)
	start := time.Now()
	follower.want(200, "POST", "/jobs/"+id+"/cancel", "")
	if r := <-commands; !strings.Contains(string(r.body), `"command":"cancel"`) || time.Since(start) > 2*time.Second {
		t.Errorf("got %s after %s, want a cancel within 2s", r.body, time.Since(start))
	}
	if text, ok := <-lines; ok {
		t.Errorf("got %q after the end of the attempt, want nothing", text)
	}
	if n := len(leader.list("?status=canceled")); n != 1 {
		t.Errorf("got %d canceled jobs, want 1", n)
	}
}

// claimWait claims with a wait.
func (m *master) claimWait(node, wait string) ffrtmp.Job {
	r, err := m.try(context.Background(), "POST", "/jobs/claim", fmt.Sprintf(`{"node_id":%q,"wait":%q}`, node, wait))
	if err != nil {
		m.t.Error(err)
		return ffrtmp.Job{}
	}
	var c ffrtmp.ClaimResponse
	r.decode(m.t, &c)
	if len(c.Jobs) != 1 {
		m.t.Errorf("got %s, want one job", r.body)
		return ffrtmp.Job{}
	}
	return c.Jobs[0]
}

// followLog streams a job's log; the channel is closed at its end.
func (m *master) followLog(id string) <-chan string {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), "GET", m.server.URL+"/jobs/"+id+"/logs?follow=true", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := m.server.Client().Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	parts := make(chan string)
	go func() {
		defer close(parts)
		defer resp.Body.Close()
		buf := make([]byte, 4096)
		for {
			n, err := resp.Body.Read(buf)
			if n > 0 {
				parts <- string(buf[:n])
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					parts <- "broken: " + err.Error()
				}
				return
			}
		}
	}()
	return parts
}

func wantLine(t *testing.T, lines <-chan string, want string) {
	t.Helper()
	select {
	case got := <-lines:
		if got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("got nothing within 5s, want %q", want)
	}
}
