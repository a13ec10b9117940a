package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

// Which master answers a read.
func TestRead_ServedBy(t *testing.T) {
	leader, follower, _ := pair(t)
	leader.submit(`{"scenario":"720p"}`)
	for query, want := range map[string]string{
		"": "m1", "?stale": "m2", "?stale=true": "m2", "?stale=false": "m1", "?stale&max_stale=1s": "m2",
		"?consistent": "m1", "?consistent=0": "m1",
	} {
		if got := follower.want(200, "GET", "/jobs/1"+query, "").Header.Get(ffrtmp.ServedByHeader); got != want {
			t.Errorf("got %q was answered by %s, want %s", query, got, want)
		}
	}
	follower.cluster.mu.Lock()
	follower.cluster.contact = 3 * time.Second
	follower.cluster.mu.Unlock()
	bounded := follower.want(200, "GET", "/jobs/1?stale&max_stale=1s", "")
	if got := bounded.Header.Get(ffrtmp.ServedByHeader); got != "m1" {
		t.Errorf("got an answer by %s, want m1", got)
	}
	r := follower.want(200, "GET", "/jobs/1?stale&max_stale=5s", "")
	if r.Header.Get(ffrtmp.ServedByHeader) != "m2" || r.Header.Get(ffrtmp.LastContactHeader) != "3000" {
		t.Errorf("got headers %v, want an answer by m2, 3000 ms after the last contact", r.Header)
	}
}

// A stale read needs no leader.
func TestRead_Stale(t *testing.T) {
	leader, follower, _ := pair(t)
	leader.submit(`{"scenario":"720p"}`)
	follower.cluster.setLeader(nil)
	for _, path := range []string{"/jobs/1", "/jobs", "/nodes", "/cluster", "/jobs/1/logs", "/jobs/1/explain"} {
		r := follower.want(200, "GET", path+"?stale", "")
		if r.Header.Get(ffrtmp.KnownLeaderHeader) != "false" || r.Header.Get(ffrtmp.LeaderHeader) != "" {
			t.Errorf("%s: got headers %v, want no leader", path, r.Header)
		}
	}
}

// A consistent read verifies leadership.
func TestRead_Consistent(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/1", "")
	if m.cluster.verified != 0 {
		t.Errorf("got %d verifications after a default read, want none", m.cluster.verified)
	}
	m.want(200, "GET", "/jobs/1?consistent", "")
	if m.cluster.verified != 1 {
		t.Errorf("got %d verifications after a consistent read, want 1", m.cluster.verified)
	}
	m.cluster.mu.Lock()
	m.cluster.verifyErr = errors.New("deposed")
	m.cluster.mu.Unlock()
	m.want(503, "GET", "/jobs/1?consistent", "")
}

// A read waits for an index.
func TestRead_Index(t *testing.T) {
	leader, follower, _ := pair(t)
	for _, m := range []*master{leader, follower} {
		index := leader.fsm.Index()
		answered := m.start("GET", fmt.Sprintf("/jobs?stale&index=%d&wait=10s", index+1), "")
		<-time.After(50 * time.Millisecond)
		select {
		case <-answered:
			t.Fatal("got an answer before the index was reached, want it after")
		default:
		}
		j := leader.submit(`{"scenario":"720p"}`)
		if r := <-answered; r.StatusCode != 200 || !strings.Contains(string(r.body), j.ID) {
			t.Errorf("got %d %s, want 200 with %s", r.StatusCode, r.body, j.ID)
		}
	}
	for name, ask := range map[string]func() response{
		"on the leader": func() response { return leader.want(503, "GET", "/jobs?index=1000&wait=100ms", "") },
		"through a follower": func() response {
			return follower.want(503, "GET", "/jobs?index=1000&wait=100ms", "")
		},
		"of the follower itself": func() response {
			return follower.want(503, "GET", "/jobs?stale&index=1000&wait=100ms", "")
		},
	} {
		start := time.Now()
		r := ask()
		if took := time.Since(start); took > leaderWait {
			t.Errorf("%s: got an answer after %s, want one within %s", name, took, leaderWait)
		}
		var p problem
		if r.decode(t, &p); p.Field != "index" || p.Code != ffrtmp.NoLeader ||
			p.Error != "index: the state has not reached index 1000 within 100ms" {
			t.Errorf("%s: got %s, want no_leader at index", name, r.body)
		}
		if r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got no Retry-After, want one", name)
		}
	}
}

// Every answer has the documented headers.
func TestHeaders(t *testing.T) {
	m := newMaster(t)
	for _, c := range [][2]string{
		{"GET", "/jobs"}, {"GET", "/health"}, {"GET", "/nothing"}, {"PUT", "/jobs"}, {"POST", "/jobs"},
	} {
		r := m.request(c[0], c[1], "")
		for _, name := range []string{
			ffrtmp.IndexHeader, ffrtmp.KnownLeaderHeader, ffrtmp.LeaderHeader, ffrtmp.LastContactHeader,
			ffrtmp.ServedByHeader, ffrtmp.RequestIDHeader,
		} {
			if r.Header.Get(name) == "" {
				t.Errorf("%s %s: got no %s, want one", c[0], c[1], name)
			}
		}
	}
	replaced := m.request("GET", "/health", "", ffrtmp.RequestIDHeader, "bad id")
	if got := replaced.Header.Get(ffrtmp.RequestIDHeader); got == "" ||
		got == "bad id" {
		t.Errorf("got request id %q, want a new one", got)
	}
	one := m.want(201, "POST", "/jobs", `{"scenario":"720p"}`).Header.Get(ffrtmp.IndexHeader)
	two := m.want(201, "POST", "/jobs", `{"scenario":"720p"}`).Header.Get(ffrtmp.IndexHeader)
	if one != "1" || two != "2" {
		t.Errorf("got writes at %s and %s, want 1 and 2", one, two)
	}
}

// Liveness, readiness and leadership.
func TestHealth(t *testing.T) {
	leader, follower, _ := pair(t)
	check := func(m *master, path string, status int, role string) {
		t.Helper()
		var h ffrtmp.Health
		r := m.want(status, "GET", path, "", "Authorization", "")
		r.decode(t, &h)
		if h.Role != role || h.NodeID != m.cluster.id || h.Version != "test" {
			t.Errorf("%s: got %+v, want role %s of %s", path, h, role, m.cluster.id)
		}
		if later := r.Header.Get("Retry-After") != ""; later != (status == 503) {
			t.Errorf("%s: got Retry-After %q with %d, want it with 503 only", path, r.Header.Get("Retry-After"), status)
		}
		if bad := status >= 300; bad != (h.Error != "") || bad != (h.Code == ffrtmp.NoLeader) {
			t.Errorf("%s: got error %q, code %q with %d, want them with a failure only", path, h.Error, h.Code, status)
		}
	}
	check(leader, "/health", 200, "leader")
	check(leader, "/health/leader", 200, "leader")
	check(leader, "/health/ready", 200, "leader")
	check(follower, "/health", 200, "follower")
	check(follower, "/health/leader", 429, "follower")
	follower.cluster.setLeader(nil)
	check(follower, "/health", 200, "follower")
	check(follower, "/health/leader", 503, "follower")
	follower.cluster.mu.Lock()
	follower.cluster.readyErr = errors.Join(errors.New("no leader"), errors.New("log writes hang"))
	follower.cluster.mu.Unlock()
	var h ffrtmp.Health
	follower.want(503, "GET", "/health/ready", "").decode(t, &h)
	if h.Error != "no leader; log writes hang" || h.Code != ffrtmp.NoLeader {
		t.Errorf("got %+v, want no leader and hanging writes", h)
	}
	if len(h.Reasons) != 2 || h.Reasons[1] != "log writes hang" {
		t.Errorf("got reasons %q, want two", h.Reasons)
	}
}

// certificateHealth fakes the certificates' health.
type certificateHealth struct {
	warnings []string
	err      error
}

func (c certificateHealth) Health() ([]string, error) { return c.warnings, c.err }

// Readiness warns of certificates that expire soon and fails on expired ones.
func TestHealth_Certificates(t *testing.T) {
	m := newMaster(t)
	m.api.cfg.Certificates = certificateHealth{warnings: []string{"master.crt expires soon"}}
	var h ffrtmp.Health
	m.want(200, "GET", "/health/ready", "").decode(t, &h)
	if h.Status != "ready" || len(h.Warnings) != 1 || h.Warnings[0] != "master.crt expires soon" || h.Reasons != nil {
		t.Errorf("got %+v, want ready with a warning", h)
	}
	m.api.cfg.Certificates = certificateHealth{err: errors.New("master.crt expired")}
	h = ffrtmp.Health{}
	m.want(503, "GET", "/health/ready", "").decode(t, &h)
	if h.Status != "unready" || len(h.Reasons) != 1 || h.Reasons[0] != "master.crt expired" || h.Warnings != nil {
		t.Errorf("got %+v, want unready with a reason", h)
	}
}

// A slow or dead master must not delay heartbeats, registrations or health checks of another.
func TestNoOtherMasterIsAsked(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat", "")
	for _, path := range []string{"/health", "/health/ready", "/health/leader"} {
		m.want(200, "GET", path, "")
	}
	m.cluster.setLeader(&cluster.Leader{ID: "m2"})
	m.want(200, "GET", "/health", "")
	if n := m.cluster.membersAsked.Load(); n != 0 {
		t.Errorf("got %d requests to every master, want none", n)
	}
}

// The cluster status lists the members.
func TestClusterStatus(t *testing.T) {
	m := newMaster(t)
	var s ffrtmp.ClusterStatus
	m.want(200, "GET", "/cluster", "").decode(t, &s)
	if s.Leader != "m1" || s.LeaderURL != "https://m1:8080" || s.Term != 1 || len(s.Members) != 1 ||
		s.Members[0].Role != "leader" ||
		s.Name != "default" {
		t.Errorf("got %+v, want the status of m1", s)
	}
}

// Nodes are listed, drained, cordoned and removed.
func TestNodes(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	eligibility := func(path string) ffrtmp.Eligibility {
		var n ffrtmp.Node
		m.want(200, "POST", "/nodes/"+nodeA+path, "").decode(t, &n)
		return n.Eligibility
	}
	m.submit(`{"scenario":"720p"}`)
	claims := func() int {
		var c ffrtmp.ClaimResponse
		m.want(200, "POST", "/jobs/claim", `{"node_id":"`+nodeA+`"}`).decode(t, &c)
		return len(c.Jobs)
	}
	if eligibility("/cordon") != ffrtmp.Cordoned || claims() != 0 {
		t.Error("got a claim of a cordoned node, want none")
	}
	if eligibility("/drain") != ffrtmp.Draining || claims() != 0 {
		t.Error("got a claim of a draining node, want none")
	}
	var draining ffrtmp.Node
	m.want(200, "POST", "/nodes/"+nodeA+"/drain", `{"deadline":"10m"}`).decode(t, &draining)
	if left := time.Until(draining.EligibilityUntil); left < 5*time.Minute || left > 10*time.Minute {
		t.Errorf("got a deadline in %s, want in 10 minutes", left)
	}
	if eligibility("/uncordon") != ffrtmp.Eligible || claims() != 1 {
		t.Error("got no claim of an uncordoned node, want one")
	}
	var n ffrtmp.Node
	m.want(200, "GET", "/nodes/"+nodeA, "").decode(t, &n)
	if n.Status != ffrtmp.NodeBusy || len(n.Running) != 1 {
		t.Errorf("got %+v, want a busy node with one attempt", n)
	}
	before := n.LastHeartbeat
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat", `{"attempts":[]}`)
	m.want(200, "GET", "/nodes/"+nodeA, "").decode(t, &n)
	if !n.LastHeartbeat.After(before) {
		t.Errorf("got last heartbeat %s, want one after %s", n.LastHeartbeat, before)
	}
	m.want(409, "DELETE", "/nodes/"+nodeA, "")
	if r := m.want(200, "DELETE", "/nodes/"+nodeA+"?force=true", ""); string(
		r.body) != `{"status":"removed","node_id":"`+nodeA+`"}`+"\n" {
		t.Errorf("got %s, want removed", r.body)
	}
	m.want(404, "GET", "/nodes/"+nodeA, "")
	if j := m.job("1"); j.Status != ffrtmp.Pending {
		t.Errorf("got job %s, want pending", j.Status)
	}
}

// A node whose media roots do not contain a job's files says so, unless no node's do.
func TestExplain_MediaRoots(t *testing.T) {
	m := newMaster(t)
	register := func(id, roots string) {
		t.Helper()
		m.want(http.StatusCreated, "POST", "/nodes/register",
			`{"node_id":"`+id+`","address":"`+id+`","encoders":["libx264"],"media_roots":[`+roots+`]}`)
	}
	register(nodeA, `"/srv/a"`)
	m.submit(`{"scenario":"720p","parameters":{"input":"/srv/b/in.mp4","output":"/srv/b/out.mp4"}}`)
	explain := func() (e ffrtmp.Explanation) {
		t.Helper()
		m.want(http.StatusOK, "GET", "/jobs/1/explain", "").decode(t, &e)
		return e
	}
	if e := explain(); e.Nodes[0].Reason != "" {
		t.Errorf("one node: got %+v, want that it may try", e)
	}
	register(nodeB, `"/srv/c","/srv/b/"`)
	e := explain()
	for _, n := range e.Nodes {
		want := ""
		if n.NodeID == nodeA {
			want = "its media roots do not contain the job's files"
		}
		if n.Reason != want || n.Match != (want == "") {
			t.Errorf("two nodes: got %+v, want reason %q", n, want)
		}
	}
	var n ffrtmp.Node
	m.want(http.StatusOK, "GET", "/nodes/"+nodeB, "").decode(t, &n)
	if !slices.Equal(n.MediaRoots, []string{"/srv/c", "/srv/b"}) {
		t.Errorf("got media roots %v, want those declared", n.MediaRoots)
	}
}

// Why a job waits, and which nodes ran it.
func TestExplain(t *testing.T) {
	m := newMaster(t)
	explain := func(ref string) (e ffrtmp.Explanation) {
		t.Helper()
		m.want(http.StatusOK, "GET", "/jobs/"+ref+"/explain", "").decode(t, &e)
		return e
	}
	m.submit(`{"scenario":"720p"}`)
	if e := explain("1"); e.Summary != "no node is registered" {
		t.Errorf("got %+v, want no node", e)
	}
	m.register(nodeA)
	m.submit(`{"scenario":"720p-av1","queue":"batch"}`)
	if e := explain("2"); e.Ahead != 1 || len(e.Nodes) != 1 || !strings.Contains(e.Nodes[0].Reason, "libsvtav1") ||
		e.Summary != "no registered node matches it: encoder libsvtav1 is not available" || e.Nodes[0].Match {
		t.Errorf("got %+v, want a node without libsvtav1", e)
	}
	if e := explain("1"); e.Nodes[0].Reason != "" || e.Ahead != 0 {
		t.Errorf("got %+v, want a job that can run", e)
	}
	m.want(http.StatusOK, "POST", "/nodes/register",
		`{"node_id":"`+nodeA+`","address":"a","max_concurrent_jobs":1,"encoders":["libx264"]}`)
	j := m.claim(nodeA)
	m.submit(`{"scenario":"720p"}`)
	if e := explain("3"); !strings.HasPrefix(e.Summary, "all slots are taken on "+e.Nodes[0].Name) ||
		!e.Nodes[0].Match {
		t.Errorf("got %+v, want a full node", e)
	}
	m.want(http.StatusOK, "POST", "/nodes/"+nodeA+"/cordon", "")
	if e := explain("3"); e.Summary != "no node that can run it is online and eligible" || !e.Nodes[0].Match {
		t.Errorf("got %+v, want a cordoned node", e)
	}
	m.want(http.StatusOK, "POST", "/nodes/"+nodeA+"/uncordon", "")
	if e := explain("1"); len(e.Attempts) != 1 || !strings.Contains(e.Summary, "attempt 1 runs") {
		t.Errorf("got %+v, want attempt 1 running", e)
	}
	m.want(200, "POST", "/results", result(j, "failed", `,"failure_reason":"user_error","error":"bad parameters"`))
	if e := explain("1"); !strings.Contains(e.Summary, "bad parameters") ||
		e.Attempts[0].Outcome != ffrtmp.AttemptFailed {
		t.Errorf("got %+v, want attempt 1 failed", e)
	}
}

// A sealed attempt runs again only when its node is removed by force; its late result is stale.
func TestRemoveNode_SealedAttempt(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	sealed := m.claim(nodeA)
	result := func(status int, node string, j ffrtmp.Job, said ffrtmp.ResultStatus) {
		t.Helper()
		m.want(
			status,
			"POST",
			"/results",
			fmt.Sprintf(`{"job_id":%q,"node_id":%q,"attempt":%d,"lease":%q,"status":%q}`, j.ID, node, j.Attempt,
				j.Lease, said),
		)
	}
	result(200, nodeA, sealed, ffrtmp.ResultPublishing)
	m.register(nodeB)
	var none ffrtmp.ClaimResponse
	if m.want(200, "POST", "/jobs/claim", `{"node_id":"`+nodeB+`","max":1}`).decode(t, &none); len(none.Jobs) > 0 {
		t.Fatalf("got %+v of a sealed job, want none", none.Jobs)
	}
	m.want(409, "DELETE", "/nodes/"+nodeA, "")
	m.want(200, "DELETE", "/nodes/"+nodeA+"?force=true", "")
	again := m.claim(nodeB)
	if again.ID != sealed.ID || again.Attempt != 2 {
		t.Errorf("got %+v, want attempt 2 of %s", again, sealed.ID)
	}
	m.register(nodeA)
	result(409, nodeA, sealed, ffrtmp.ResultCompleted)
	result(200, nodeB, again, ffrtmp.ResultPublishing)
	result(200, nodeB, again, ffrtmp.ResultCompleted)
	if j := m.job("1"); j.Status != ffrtmp.Completed || j.NodeID != nodeB {
		t.Errorf("got %+v, want completed on %s", j, nodeB)
	}
}

// A mistyped parameter must not be ignored.
func TestQueryParameters_Unknown(t *testing.T) {
	m := newMaster(t)
	for _, e := range m.api.endpoints() {
		if e.open {
			continue
		}
		method, path, _ := strings.Cut(e.pattern, " ")
		r := m.want(400, method, strings.ReplaceAll(path, "{id}", "1")+"?stauts=failed", "")
		var p problem
		if r.decode(t, &p); p.Field != "stauts" || p.Code != ffrtmp.Invalid {
			t.Errorf("%s: got %+v, want the field stauts", e.pattern, p)
		}
	}
}

// A leader whose lease has run out answers no read of its state, not even that something is unknown; it waits until
// the lease is renewed or another leads.
func TestRead_Lease(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	set := func(err error) {
		m.cluster.mu.Lock()
		defer m.cluster.mu.Unlock()
		m.cluster.lease = err
	}
	set(errors.New("no majority"))
	known, unknown := m.start("GET", "/jobs/1", ""), m.start("GET", "/jobs/2", "")
	m.want(200, "GET", "/jobs/1?stale", "")
	select {
	case r := <-known:
		t.Fatalf("got %d without a lease, want no answer yet", r.StatusCode)
	case r := <-unknown:
		t.Fatalf("got %d without a lease, want no answer yet", r.StatusCode)
	default:
	}
	set(nil)
	if r := <-known; r.StatusCode != 200 {
		t.Errorf("got %d, want 200", r.StatusCode)
	}
	if r := <-unknown; r.StatusCode != 404 {
		t.Errorf("got %d, want 404", r.StatusCode)
	}
}

// A master whose disk hangs, like one that was removed, does not keep a request until it finds a leader.
func TestRead_Isolated(t *testing.T) {
	for _, reason := range []error{cluster.ErrStalled, cluster.ErrRemoved} {
		m := newMaster(t)
		tries := 0
		m.cluster.setLeader(nil)
		m.cluster.mu.Lock()
		m.cluster.readyErr = reason
		m.cluster.transport = roundTripper(func(*http.Request) (*http.Response, error) {
			tries++
			return nil, cluster.ErrNoLeader
		})
		m.cluster.mu.Unlock()
		if m.want(503, "GET", "/jobs", ""); tries != 1 {
			t.Errorf("%v: got %d tries, want 1", reason, tries)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
