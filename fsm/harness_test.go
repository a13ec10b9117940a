package fsm

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// A test may open the first database of the process itself.
func init() {
	if err := store.LockByDescriptor(); err != nil {
		panic(err)
	}
}

// cluster is a cluster of one without Raft: its log applies at once. Only the test
// advances its clock.
type cluster struct {
	testing.TB
	*Proposer
	fsm  *FSM
	opts Options
	now  time.Time

	mu      sync.Mutex
	index   uint64
	entries []*raft.Log
}

var epoch = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func newCluster(t testing.TB) *cluster {
	t.Helper()
	dir := t.TempDir()
	return openCluster(t, Options{Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "master.raft")})
}

func openCluster(t testing.TB, opts Options) *cluster {
	t.Helper()
	c := &cluster{TB: t, opts: opts, now: epoch}
	c.fsm = c.open()
	n := 0
	c.Proposer = NewProposer(c, ProposerOptions{
		Now:        func() time.Time { return c.now },
		NewID:      func() string { n++; return numbered(n) },
		MaxRetries: 3,
	})
	t.Cleanup(func() {
		if err := c.fsm.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cluster) open() *FSM {
	c.Helper()
	if c.opts.Logger == nil {
		c.opts.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Error})
	}
	f, err := Open(c.opts)
	if err != nil {
		c.Fatal(err)
	}
	return f
}

func (c *cluster) reopen() {
	c.Helper()
	if err := c.fsm.Close(); err != nil {
		c.Fatal(err)
	}
	c.fsm = c.open()
	if err := c.fsm.Verify(); err != nil {
		c.Fatal(err)
	}
}

// Apply implements Log.
func (c *cluster) Apply(_ context.Context, data []byte) (uint64, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index++
	entry := &raft.Log{Index: c.index, Term: 1, Type: raft.LogCommand, Data: data}
	c.entries = append(c.entries, entry)
	return entry.Index, c.fsm.Apply(entry), nil //nolint:contextcheck // Raft applies without a context
}

// numbered is the nth UUIDv7-shaped id of a test.
func numbered(n int) string {
	return uuid.MustParse(fmt.Sprintf("01980000-0000-7000-8000-%012x", n)).String()
}

func (c *cluster) after(d time.Duration) { c.now = c.now.Add(d) }

// newSpec is a valid submission.
func newSpec(t testing.TB, change ...func(*ffrtmp.Spec)) ffrtmp.Spec {
	t.Helper()
	s := ffrtmp.Spec{Scenario: "1080p30-h264"}
	for _, f := range change {
		f(&s)
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	return s
}

// submit makes a job and returns its number.
func (c *cluster) submit(change ...func(*ffrtmp.Spec)) uint64 {
	c.Helper()
	_, made, err := c.Submit(c.Context(), Idempotency{}, []ffrtmp.Spec{newSpec(c, change...)})
	if err != nil {
		c.Fatal(err)
	}
	return made.Jobs[0].SequenceNumber
}

// register makes a node with every software encoder, and returns its id.
func (c *cluster) register(name string, change ...func(*ffrtmp.Registration)) string {
	c.Helper()
	r := ffrtmp.Registration{
		NodeID: uuid.NewSHA1(uuid.Nil, []byte(name)).String(),
		Machine: ffrtmp.Machine{
			Name:              name,
			Address:           name + ":9000",
			CPUThreads:        8,
			RAMTotalBytes:     16 << 30,
			MaxConcurrentJobs: 4,
			Encoders:          []string{"libx264", "libx265"},
		},
	}
	for _, f := range change {
		f(&r)
	}
	if err := r.Validate(); err != nil {
		c.Fatal(err)
	}
	_, registered, err := c.Register(c.Context(), Idempotency{}, r)
	if err != nil {
		c.Fatal(err)
	}
	return registered.Node.ID
}

// claim assigns a node up to limit attempts.
func (c *cluster) claim(node string, limit int) []store.Attempt {
	c.Helper()
	_, claimed, err := c.Claim(c.Context(), node, limit)
	if err != nil {
		c.Fatal(err)
	}
	return claimed
}

// claimOne assigns a node one attempt.
func (c *cluster) claimOne(node string) store.Attempt {
	c.Helper()
	claimed := c.claim(node, 1)
	if len(claimed) != 1 {
		c.Fatalf("node %s: got %d attempts, want 1", node, len(claimed))
	}
	return claimed[0]
}

// result reports a result for a claimed attempt.
func (c *cluster) result(node string, a store.Attempt, status ffrtmp.ResultStatus,
	change ...func(*ffrtmp.Result),
) (Resulted, error) {
	r := ffrtmp.Result{JobID: a.JobID, NodeID: node, Attempt: a.Attempt, Lease: a.Lease, Status: status}
	for _, f := range change {
		f(&r)
	}
	_, resulted, err := c.Result(c.Context(), Idempotency{}, a.Seq, r)
	return resulted, err
}

func (c *cluster) mustResult(node string, a store.Attempt, status ffrtmp.ResultStatus,
	change ...func(*ffrtmp.Result),
) Resulted {
	c.Helper()
	r, err := c.result(node, a, status, change...)
	if err != nil {
		c.Fatal(err)
	}
	return r
}

func failing(reason ffrtmp.FailureReason, message string) func(*ffrtmp.Result) {
	return func(r *ffrtmp.Result) { r.FailureReason, r.Error = reason, message }
}

func (c *cluster) job(seq uint64) ffrtmp.Job {
	c.Helper()
	j, err := c.fsm.Job(c.Context(), fmt.Sprint(seq))
	if err != nil {
		c.Fatal(err)
	}
	return j
}

// hash fails the test when memory differs from what the database says.
func (c *cluster) hash() string {
	c.Helper()
	sum, err := c.fsm.ContentHash(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return sum
}

// errOf is the error of a command.
func errOf[T any](_ uint64, _ T, err error) error { return err }

func wantCode(t testing.TB, err error, code ffrtmp.Code) {
	t.Helper()
	if ffrtmp.CodeOf(err) != code {
		t.Fatalf("got %q (%v), want %q", ffrtmp.CodeOf(err), err, code)
	}
}

// sqlite opens the state's database beside the FSM.
func (c *cluster) sqlite() *sql.DB {
	c.Helper()
	c.settle()
	db, err := sql.Open("sqlite", sqlitedsn.File(c.fsm.Path(), "_pragma=busy_timeout(10000)"))
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = db.Close() })
	return db
}
