package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
	"github.com/ffrtmp/ffrtmp/leader"
)

const testKey = "correct-horse-battery-staple"

// soloLog is a Raft log of one master: every entry is committed at once.
type soloLog struct {
	mu      sync.Mutex
	fsm     *fsm.FSM
	index   uint64
	entries []*raft.Log
	fail    func() error // the error of the next entries, which are not applied, or nil
}

func (l *soloLog) Apply(_ context.Context, data []byte) (uint64, any, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		if err := l.fail(); err != nil {
			return 0, nil, err
		}
	}
	l.index++
	entry := &raft.Log{Index: l.index, Term: 1, Type: raft.LogCommand, Data: data}
	l.entries = append(l.entries, entry)
	answers := l.fsm.ApplyBatch([]*raft.Log{entry}) //nolint:contextcheck // applying cannot be canceled
	return l.index, answers[0], nil
}

// fakeCluster is a cluster whose leader the test sets.
type fakeCluster struct {
	id         string
	clusterID  string
	mu         sync.Mutex
	leader     *cluster.Leader
	changed    chan struct{}
	leadership chan bool
	transport  http.RoundTripper
	contact    time.Duration
	contacted  bool
	verifyErr  error
	lease      error
	readyErr   error
	diskErr    error
	diskLow    bool
	verified   int
	others     []cluster.Member

	transferErr, planErr, carryErr error

	misfits    []string
	keysErr    error
	keyChanges []cluster.KeyChange
	plan       cluster.Plan
	carried    []cluster.Plan

	membersAsked atomic.Int64 // calls of Members, which asks every master
}

func newFakeCluster(id string) *fakeCluster {
	return &fakeCluster{
		id: id, clusterID: "11111111-2222-3333-4444-555555555555", changed: make(chan struct{}),
		leadership: make(chan bool, 1), contacted: true,
	}
}

// setLeader makes a master the leader, or none if l is nil.
func (f *fakeCluster) setLeader(l *cluster.Leader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = l
	close(f.changed)
	f.changed = make(chan struct{})
	select {
	case <-f.leadership:
	default:
	}
	f.leadership <- l != nil && l.ID == f.id
}

func (f *fakeCluster) LeaderChanges() []cluster.LeaderChange {
	return []cluster.LeaderChange{{Time: time.Unix(1_800_000_000, 0), Leader: f.id, Name: "name of " + f.id}, {}}
}

func (f *fakeCluster) ID() string        { return f.id }
func (f *fakeCluster) ClusterID() string { return f.clusterID }
func (f *fakeCluster) IsLeader() bool {
	l, ok := f.Leader()
	return ok && l.ID == f.id
}

func (f *fakeCluster) Leader() (cluster.Leader, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leader == nil {
		return cluster.Leader{}, false
	}
	return *f.leader, true
}

func (f *fakeCluster) LeaderChanged() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

func (f *fakeCluster) Leadership() <-chan bool            { return f.leadership }
func (f *fakeCluster) Barrier(context.Context) error      { return nil }
func (f *fakeCluster) CommandLevel() int                  { return fsm.Level }
func (f *fakeCluster) LeaderTransport() http.RoundTripper { return f.transport }
func (f *fakeCluster) CheckLease() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lease
}

func (f *fakeCluster) VerifyLeader(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.verified++
	return f.verifyErr
}
func (f *fakeCluster) Name() string { return "name-of-" + f.id }

func (f *fakeCluster) TransferLeadership(context.Context, string) error { return f.transferErr }

// Plan knows one other master, m2.
func (f *fakeCluster) Plan(change cluster.Change, ref string) (cluster.Plan, error) {
	if f.planErr == nil && ref != "m2" {
		return cluster.Plan{}, &cluster.NoMemberError{Ref: ref}
	}
	plan := f.plan
	plan.Change, plan.ID, plan.Name = change, "id-of-"+ref, ref
	return plan, f.planErr
}

func (f *fakeCluster) Carry(_ context.Context, p cluster.Plan) error {
	f.carried = append(f.carried, p)
	return f.carryErr
}

func (f *fakeCluster) Autopilot() cluster.Autopilot {
	return cluster.Autopilot{
		CleanupDeadServers: true, ServerStabilizationTime: 2 * time.Second,
		LastContactThreshold: time.Second, MinQuorum: 2,
	}
}

// GossipKeys returns one key; m3 does not answer.
func (f *fakeCluster) GossipKeys(context.Context) (cluster.GossipKeys, error) {
	k := cluster.GossipKey{Fingerprint: "f1", Primary: true, Holders: []string{"m2", "m1"}, Users: []string{"m1"}}
	return cluster.GossipKeys{Masters: 3, Silent: []string{"m3"}, Keys: []cluster.GossipKey{k}}, f.keysErr
}

func (f *fakeCluster) ChangeGossipKeys(_ context.Context, c cluster.KeyChange) (cluster.KeyChanged, error) {
	f.keyChanges = append(f.keyChanges, c)
	return cluster.KeyChanged{Fingerprint: c.Fingerprint, Changed: c.Force || c.Action == cluster.InstallKey}, f.keysErr
}

// InstalledGossipKey returns the key of the first change with the request's id.
func (f *fakeCluster) InstalledGossipKey(_ context.Context, r cluster.KeyRequest) ([]byte, error) {
	for _, c := range f.keyChanges {
		switch {
		case r.ID == "" || c.Request.ID != r.ID:
		case c.Request.Hash != r.Hash:
			return nil, fmt.Errorf("%w: another request", cluster.ErrImpossible)
		default:
			return c.Key, nil
		}
	}
	return nil, nil
}

func (f *fakeCluster) Misfits() []string { return f.misfits }

func (f *fakeCluster) Warnings() []string { return f.plan.Warnings }

func (f *fakeCluster) APIURLs() []string { return []string{"https://" + f.id + ":8080"} }

func (f *fakeCluster) Role() string {
	if f.IsLeader() {
		return "leader"
	}
	return "follower"
}

func (f *fakeCluster) Members() []cluster.Member {
	f.membersAsked.Add(1)
	own := cluster.Member{
		ID: f.id, Name: f.Name(), Address: "10.0.0.1:8300", APIURL: "https://" + f.id + ":8080",
		Role: "follower", State: "follower", Voter: true, Healthy: true, Version: "test",
	}
	if f.IsLeader() {
		own.Role, own.State = "leader", "leader"
	}
	return append([]cluster.Member{own}, f.others...)
}
func (f *fakeCluster) Term() uint64         { return 1 }
func (f *fakeCluster) CommitIndex() uint64  { return 7 }
func (f *fakeCluster) AppliedIndex() uint64 { return 7 }
func (f *fakeCluster) LastContact() (time.Duration, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.contact, f.contacted
}

func (f *fakeCluster) CheckDiskSpace() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.diskErr
}

func (f *fakeCluster) DiskLow() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.diskLow
}

func (f *fakeCluster) Ready() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readyErr
}

// master is a complete master without consensus, on a real TLS port.
type master struct {
	t        *testing.T
	fsm      *fsm.FSM
	log      *soloLog
	cluster  *fakeCluster
	leader   *leader.Service
	proposer *fsm.Proposer
	api      *Server
	server   *httptest.Server
	port     *Port
	registry *prometheus.Registry
	logs     *testkit.Buffer

	conformance *conformance
}

// newMaster starts a master that leads.
func newMaster(t *testing.T, change ...func(*http.Server)) *master {
	m := startMaster(t, "m1", nil, change...)
	m.lead()
	return m
}

// startMaster starts a master without a leader, with a state of its own or shared
// with another.
func startMaster(t *testing.T, id string, shared *master, change ...func(*http.Server)) *master {
	t.Helper()
	m := &master{t: t, cluster: newFakeCluster(id), registry: prometheus.NewRegistry(), logs: &testkit.Buffer{}}
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: m.logs})
	if shared != nil {
		m.fsm, m.log = shared.fsm, shared.log
	} else {
		dir := t.TempDir()
		f, err := fsm.Open(
			fsm.Options{Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "raft"), Registerer: m.registry})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		f.SetClusterID(m.cluster.ClusterID)
		m.fsm, m.log = f, &soloLog{fsm: f}
	}
	m.proposer = fsm.NewProposer(m.log,
		fsm.ProposerOptions{MaxRetries: 3, RetryBase: 20 * time.Millisecond, RetryCap: 20 * time.Millisecond})
	m.leader = leader.New(
		leader.Config{
			State: m.fsm, Proposer: m.proposer, Cluster: m.cluster, LeaseTTL: 30 * time.Second,
			Logger: logger,
		},
	)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.leader.Run(ctx)
	}()
	m.port = NewPort(PortConfig{Logger: logger})
	m.api = New(Config{
		Port:     m.port,
		State:    m.fsm,
		Proposer: m.proposer,
		Leader:   m.leader,
		Cluster:  m.cluster,
		Backups: func() ffrtmp.Backups {
			return ffrtmp.Backups{Interval: ffrtmp.Duration(time.Hour), LastSuccess: time.Now().UTC(), LastBytes: 9}
		},
		Keys:       Keys(m.fsm, testKey),
		Logger:     logger,
		Version:    "test",
		Name:       "default",
		LeaseTTL:   30 * time.Second,
		Registerer: m.registry,
		Gatherer:   m.registry,
	})
	m.server = httptest.NewUnstartedServer(nil)
	m.server.Config = m.port.http
	m.conformance = conforming(t, m.port.http.Handler)
	m.port.http.Handler = m.conformance
	m.api.Open()
	for _, f := range change {
		f(m.port.http)
	}
	m.server.EnableHTTP2 = true
	m.server.StartTLS()
	t.Cleanup(func() {
		m.api.stop()
		m.server.Close()
		cancel()
		<-done
	})
	return m
}

// lead makes the master the leader and waits until it is ready.
func (m *master) lead() {
	m.t.Helper()
	m.cluster.setLeader(&cluster.Leader{ID: m.cluster.id, APIURL: "https://" + m.cluster.id + ":8080"})
	eventually(m.t, "the master leads", m.leader.Leading)
}

// response is an answer that has been read.
type response struct {
	*http.Response
	body []byte
}

func (r response) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("got %s, want JSON: %v", r.body, err)
	}
}

// request makes a request with the key; header holds names and values in turn.
func (m *master) request(method, path, body string, header ...string) response {
	m.t.Helper()
	r, err := m.try(context.Background(), method, path, body, header...)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *master) try(ctx context.Context, method, path, body string, header ...string) (response, error) {
	req, err := http.NewRequestWithContext(ctx, method, m.server.URL+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := m.server.Client().Do(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return response{resp, data}, err
}

// want makes a request and checks its status.
func (m *master) want(status int, method, path, body string, header ...string) response {
	m.t.Helper()
	r := m.request(method, path, body, header...)
	if r.StatusCode != status {
		m.t.Fatalf("%s %s: got %d, want %d: %s", method, path, r.StatusCode, status, r.body)
	}
	return r
}

// register registers a node and returns its id.
// start sends a request and returns before it is answered.
func (m *master) start(method, path, body string) <-chan response {
	answered := make(chan response, 1)
	go func() {
		r, err := m.try(context.Background(), method, path, body)
		if err != nil {
			m.t.Error(err)
		}
		answered <- r
	}()
	return answered
}

func (m *master) register(id string) string {
	m.t.Helper()
	body := `{"node_id":"` + id + `","address":"` + id +
		`","cpu_threads":8,"max_concurrent_jobs":2,"encoders":["libx264","libx265"]}`
	m.want(http.StatusCreated, "POST", "/nodes/register", body)
	return id
}

func (m *master) submit(body string) ffrtmp.Job {
	m.t.Helper()
	var j ffrtmp.Job
	m.want(http.StatusCreated, "POST", "/jobs", body).decode(m.t, &j)
	return j
}

func (m *master) job(ref string) ffrtmp.Job {
	m.t.Helper()
	var j ffrtmp.Job
	m.want(http.StatusOK, "GET", "/jobs/"+ref, "").decode(m.t, &j)
	return j
}

// claim claims one job for a node.
func (m *master) claim(node string) ffrtmp.Job {
	m.t.Helper()
	var c ffrtmp.ClaimResponse
	m.want(http.StatusOK, "POST", "/jobs/claim", `{"node_id":"`+node+`","max":1}`).decode(m.t, &c)
	if len(c.Jobs) != 1 {
		m.t.Fatalf("got %d jobs, want 1", len(c.Jobs))
	}
	return c.Jobs[0]
}

const (
	nodeA = "aaaaaaaa-0000-4000-8000-000000000001"
	nodeB = "aaaaaaaa-0000-4000-8000-000000000002"
)

var eventually = testkit.Eventually

// running registers nodeA, submits a job and claims it for the node.
func (m *master) running(spec string) ffrtmp.Job {
	m.t.Helper()
	m.register(nodeA)
	m.submit(spec)
	return m.claim(nodeA)
}
