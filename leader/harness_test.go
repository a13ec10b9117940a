package leader

import (
	"bytes"
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// bed is a Service on a real state in a synctest bubble: time passes only while every
// goroutine waits.
type bed struct {
	t        *testing.T
	fsm      *fsm.FSM
	log      *soloLog
	proposer *fsm.Proposer
	cluster  *fakeCluster
	*Service
	logs *bytes.Buffer
}

// soloLog is a Raft log of one master: every entry is committed at once.
type soloLog struct {
	mu       sync.Mutex
	fsm      *fsm.FSM
	entries  uint64
	commands int
	fail     error  // of the next entries
	before   func() // called once, before the next entry is committed
}

func (l *soloLog) Apply(_ context.Context, data []byte) (uint64, any, error) {
	l.mu.Lock()
	before := l.before
	l.before = nil
	l.mu.Unlock()
	if before != nil {
		before()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return 0, nil, l.fail
	}
	l.entries++
	entry := &raft.Log{Index: l.entries, Term: 1, Type: raft.LogCommand, Data: data}
	answers := l.fsm.ApplyBatch([]*raft.Log{entry}) //nolint:contextcheck // applying cannot be canceled
	if results, ok := answers[0].([]any); ok {
		l.commands += len(results)
	}
	return l.entries, answers[0], nil
}

func (l *soloLog) count() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries
}

// commandCount is how many commands are in the entries.
func (l *soloLog) commandCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commands
}

// beforeNext calls f before the next entry is committed.
func (l *soloLog) beforeNext(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.before = f
}

func (l *soloLog) failWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

type fakeCluster struct {
	leadership chan bool
}

func (f *fakeCluster) Leadership() <-chan bool       { return f.leadership }
func (f *fakeCluster) Barrier(context.Context) error { return nil }

const (
	ttl       = 30 * time.Second
	retention = 30 * time.Hour // events are kept for less
)

// inBubble runs a test with a Service that leads.
func inBubble(t *testing.T, test func(t *testing.T, b *bed)) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		f, err := fsm.Open(fsm.Options{Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "raft")})
		if err != nil {
			t.Fatal(err)
		}
		b := &bed{
			t: t, fsm: f, log: &soloLog{fsm: f}, cluster: &fakeCluster{leadership: make(chan bool)},
			logs: &bytes.Buffer{},
		}
		b.proposer = fsm.NewProposer(b.log, fsm.ProposerOptions{MaxRetries: 3})
		b.Service = New(Config{
			State: f, Proposer: b.proposer, Cluster: b.cluster, LeaseTTL: ttl, Retention: retention,
			Logger: hclog.New(&hclog.LoggerOptions{Output: b.logs, Mutex: &sync.Mutex{}}),
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Run(ctx)
		}()
		b.lead(true)
		test(t, b)
		cancel()
		<-done
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lead gives or takes leadership and waits until the Service has followed.
func (b *bed) lead(leading bool) {
	b.t.Helper()
	b.cluster.leadership <- leading
	synctest.Wait()
	if b.Leading() != leading {
		b.t.Fatalf("got Leading() %v, want %v", !leading, leading)
	}
}

func nodeID(n int) string {
	s := strconv.Itoa(n)
	return "aaaaaaaa-0000-4000-8000-" + "000000000000"[len(s):] + s
}

// register registers node n with a number of slots.
func (b *bed) register(n, slots int) string {
	b.t.Helper()
	r := ffrtmp.Registration{
		NodeID: nodeID(n),
		Machine: ffrtmp.Machine{
			Address:           "n" + strconv.Itoa(n),
			Encoders:          ffrtmp.Encoders,
			HasGPU:            true,
			MaxConcurrentJobs: slots,
		},
	}
	if err := r.Validate(); err != nil {
		b.t.Fatal(err)
	}
	if _, _, err := b.proposer.Register(b.t.Context(), fsm.Idempotency{}, r); err != nil {
		b.t.Fatal(err)
	}
	b.NodeChanged(r.NodeID)
	return r.NodeID
}

// registerOld registers a node as a v2.2 agent does.
func (b *bed) registerOld(address string) string {
	b.t.Helper()
	r := ffrtmp.Registration{Machine: ffrtmp.Machine{Address: address}}
	if err := r.Validate(); err != nil {
		b.t.Fatal(err)
	}
	_, registered, err := b.proposer.Register(b.t.Context(), fsm.Idempotency{}, r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.NodeChanged(registered.Node.ID)
	return registered.Node.ID
}

func (b *bed) submit(spec ffrtmp.Spec) string {
	b.t.Helper()
	if spec.Scenario == "" {
		spec.Scenario = "720p30-h264"
	}
	if err := spec.Validate(); err != nil {
		b.t.Fatal(err)
	}
	_, made, err := b.proposer.Submit(b.t.Context(), fsm.Idempotency{}, []ffrtmp.Spec{spec})
	if err != nil {
		b.t.Fatal(err)
	}
	return made.Jobs[0].ID
}

func (b *bed) submitJobs(n int) {
	b.t.Helper()
	for range n {
		b.submit(ffrtmp.Spec{})
	}
}

// running registers a node, submits a job and claims it for the node.
func (b *bed) running() (node, id string, j ffrtmp.Job) {
	b.t.Helper()
	node = b.register(1, 1)
	id = b.submit(ffrtmp.Spec{})
	return node, id, b.claimOne(node)
}

// claim claims with a wait, and fails the test on an error.
func (b *bed) claim(node string, limit int, wait time.Duration) []ffrtmp.Job {
	b.t.Helper()
	_, jobs, err := b.Claim(b.t.Context(), node, limit, wait)
	if err != nil {
		b.t.Fatal(err)
	}
	return jobs
}

// claimOne claims one job, which must exist.
func (b *bed) claimOne(node string) ffrtmp.Job {
	b.t.Helper()
	jobs := b.claim(node, 1, 0)
	if len(jobs) != 1 {
		b.t.Fatalf("got %d jobs, want 1", len(jobs))
	}
	return jobs[0]
}

func report(j ffrtmp.Job) ffrtmp.AttemptReport {
	return ffrtmp.AttemptReport{JobID: j.ID, Attempt: j.Attempt, Lease: j.Lease}
}

// beat sends a heartbeat that lists reports and returns the commands in it.
func (b *bed) beat(node string, reports ...ffrtmp.AttemptReport) []ffrtmp.Command {
	b.t.Helper()
	return b.beatWait(node, 0, reports...)
}

func (b *bed) beatWait(node string, wait time.Duration, reports ...ffrtmp.AttemptReport) []ffrtmp.Command {
	b.t.Helper()
	commands, _, err := b.Heartbeat(b.t.Context(), node,
		&ffrtmp.Heartbeat{Attempts: reports, Wait: ffrtmp.Duration(wait)})
	if err != nil {
		b.t.Fatal(err)
	}
	return commands
}

func (b *bed) job(ref string) ffrtmp.Job {
	b.t.Helper()
	j, err := b.fsm.Job(b.t.Context(), ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// act takes a user's action, as the API does.
func (b *bed) act(action ffrtmp.Action, ref string) {
	b.t.Helper()
	j := b.job(ref)
	if _, _, err := b.proposer.Act(b.t.Context(), fsm.Idempotency{}, action, j.SequenceNumber); err != nil {
		b.t.Fatal(err)
	}
	b.NodeChanged(j.NodeID)
}

func (b *bed) result(node string, j ffrtmp.Job, status ffrtmp.ResultStatus) ffrtmp.ResultResponse {
	b.t.Helper()
	r := &ffrtmp.Result{
		JobID: j.ID, NodeID: node, Attempt: j.Attempt, Lease: j.Lease,
		Status: status, FailureReason: ffrtmp.RuntimeError, Error: "broken",
	}
	_, response, err := b.Result(b.t.Context(), fsm.Idempotency{}, r)
	if err != nil {
		b.t.Fatal(err)
	}
	return response
}

func (b *bed) wantStatus(ref string, want ffrtmp.Status, attempt int) {
	b.t.Helper()
	if j := b.job(ref); j.Status != want || j.Attempt != attempt {
		b.t.Fatalf("got job %s at attempt %d, want %s at %d", j.Status, j.Attempt, want, attempt)
	}
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
