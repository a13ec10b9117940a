package fsm

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// replica is a Raft node with its log and its state on disk.
type replica struct {
	raft *raft.Raft
	fsm  *FSM
}

// newReplicas starts three replicas in this process and returns them, the leader
// first.
func newReplicas(t testing.TB, wrap func(*FSM) raft.FSM) []*replica {
	t.Helper()
	const n = 3
	transports := make([]*raft.InmemTransport, n)
	var servers raft.Configuration
	for i := range transports {
		addr, transport := raft.NewInmemTransport(raft.ServerAddress(fmt.Sprintf("replica-%d", i)))
		transports[i] = transport
		servers.Servers = append(servers.Servers, raft.Server{ID: raft.ServerID(addr), Address: addr})
	}
	replicas := make([]*replica, n)
	for i, transport := range transports {
		for _, other := range transports {
			transport.Connect(other.LocalAddr(), other)
		}
		dir := t.TempDir()
		f, err := Open(Options{Path: filepath.Join(dir, "master.db"), Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		store, err := raftboltdb.New(raftboltdb.Options{
			Path:        filepath.Join(dir, "raft.db"),
			BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
		})
		if err != nil {
			t.Fatal(err)
		}
		cfg := raft.DefaultConfig()
		cfg.LocalID = servers.Servers[i].ID
		cfg.BatchApplyCh = true
		cfg.MaxAppendEntries = 64
		cfg.Logger = hclog.New(&hclog.LoggerOptions{Output: io.Discard})
		snapshots := raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(cfg, store, store, snapshots, transport, servers); err != nil {
			t.Fatal(err)
		}
		r, err := raft.NewRaft(cfg, wrap(f), store, store, snapshots, transport)
		if err != nil {
			t.Fatal(err)
		}
		replicas[i] = &replica{raft: r, fsm: f}
		t.Cleanup(func() {
			if err := r.Shutdown().Error(); err != nil {
				t.Error(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	leader := awaitLeader(t, replicas)
	replicas[0], replicas[leader] = replicas[leader], replicas[0]
	return replicas
}

func awaitLeader(t testing.TB, replicas []*replica) int {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case <-tick.C:
			for i, r := range replicas {
				if r.raft.State() == raft.Leader && r.raft.Barrier(time.Second).Error() == nil {
					return i
				}
			}
		case <-deadline:
			t.Fatal("no leader after 20 s")
		}
	}
}

// Apply implements Log.
func (r *replica) Apply(_ context.Context, data []byte) (uint64, any, error) {
	future := r.raft.Apply(data, 10*time.Second)
	if err := future.Error(); err != nil {
		return 0, nil, err
	}
	return future.Index(), future.Response(), nil
}

// benchRound is how many operations one side runs before the other: the speed of a
// shared machine changes from second to second.
const benchRound = 2048

// BenchmarkProposer has many clients submit jobs, or submit, claim and complete
// them, through a leader with two followers, all on disk. In turn with it, the same
// load goes to state machines that only execute the same statements.
func BenchmarkProposer(b *testing.B) {
	for _, clients := range []int{1, 64, 256, 1024} {
		for _, what := range []string{"submit", "cycle"} {
			b.Run(fmt.Sprintf("%s/%d", what, clients), func(b *testing.B) {
				ours := load{clients: clients, do: proposing(b, clients, what == "cycle")}
				bare := load{clients: clients, do: executing(b, what == "cycle")}
				for left := b.N; left > 0; left -= benchRound {
					n := min(left, benchRound)
					ours.run(b, n)
					bare.run(b, n)
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(b.N)/ours.took.Seconds(), "per-s")
				b.ReportMetric(float64(b.N)/bare.took.Seconds(), "bare-per-s")
				b.ReportMetric(bare.took.Seconds()/ours.took.Seconds(), "of-bare")
				b.ReportMetric(float64(ours.cpu.Microseconds())/float64(b.N), "cpu-us/op")
				b.ReportMetric(bare.cpu.Seconds()/ours.cpu.Seconds(), "cpu-of-bare")
			})
		}
	}
}

// load is the work of a number of clients, and its cost so far.
type load struct {
	clients   int
	do        func(client int) error
	took, cpu time.Duration
}

func (l *load) run(b *testing.B, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var done sync.WaitGroup
	cpu, start := cpuTime(b), time.Now()
	for i := range l.clients {
		done.Go(func() {
			for left.Add(-1) >= 0 {
				if err := l.do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	l.took += time.Since(start)
	l.cpu += cpuTime(b) - cpu
	if b.Failed() {
		b.FailNow()
	}
}

// proposing is the load on a Proposer, from a node for each client.
func proposing(b *testing.B, clients int, cycling bool) func(int) error {
	leader := newReplicas(b, func(f *FSM) raft.FSM { return f })[0]
	p := NewProposer(leader, ProposerOptions{})
	nodes := make([]string, clients)
	for i := range nodes {
		r := ffrtmp.Registration{
			NodeID: numbered(i),
			Machine: ffrtmp.Machine{
				Address:           "a",
				MaxConcurrentJobs: 1024,
				Encoders:          []string{"libx264"},
			},
		}
		_, registered, err := p.Register(b.Context(), Idempotency{}, r)
		if err != nil {
			b.Fatal(err)
		}
		nodes[i] = registered.Node.ID
	}
	return func(client int) error {
		spec := []ffrtmp.Spec{benchSpec(b)}
		if cycling {
			_, err := cycle(b.Context(), p, nodes[client], spec)
			return err
		}
		_, _, err := p.Submit(b.Context(), Idempotency{}, spec)
		return err
	}
}

// executing is the load on the bare state machines.
func executing(b *testing.B, cycling bool) func(int) error {
	leader := newReplicas(b, func(f *FSM) raft.FSM { return &rawFSM{FSM: f} })[0]
	batch := batcher{log: leader}
	commands := []command{benchSubmit(b)}
	if cycling {
		commands = append(commands, &claim{node: numbered(1), leases: []lease{{}}}, &result{
			node:   numbered(1),
			status: ffrtmp.ResultCompleted,
		})
	}
	return func(int) error {
		for _, c := range commands {
			if _, _, err := batch.propose(b.Context(), encodeCommand(envelope{}, c)); err != nil {
				return err
			}
		}
		return nil
	}
}

// rawFSM only executes the statements of submissions, claims and completions and of
// their entries. A command's first byte is its kind.
type rawFSM struct {
	*FSM
	submitted, claimed, completed int64
}

func (f *rawFSM) Apply(*raft.Log) any { panic("entries come in batches") }

func (f *rawFSM) ApplyBatch(entries []*raft.Log) []any {
	responses := make([]any, len(entries))
	if err := f.state.Begin(); err != nil {
		panic(err)
	}
	for i, e := range entries {
		if e.Type != raft.LogCommand {
			continue
		}
		d := decoder{b: e.Data[1:]}
		results := make([]any, d.count(4))
		for i := range results {
			f.command(d.view())
			results[i] = true
		}
		responses[i] = results
		f.exec(insertEvents, int64(e.Index), epoch.UnixNano(), int64(len(results)), make([]byte,
			eventBytes*len(results)))
	}
	last := entries[len(entries)-1]
	m := store.Meta{
		Index: last.Index, Term: last.Term, Time: epoch.UnixNano(), NextSeq: uint64(f.submitted),
		Submitted: f.submitted,
		Completed: f.completed,
	}
	if err := f.state.Commit(&m); err != nil {
		panic(err)
	}
	return responses
}

func (f *rawFSM) command(data []byte) {
	now := epoch.UnixNano()
	switch Kind(data[0]) {
	case KindSubmit:
		f.submitted++
		body := string(data)
		f.exec(insertSpec, f.submitted, numbered(int(f.submitted)), "1080p30-h264", "", "auto", "", body[:400],
			body[400:],
			nil, int64(0), now, nil, nil)
		f.exec(insertState, f.submitted, store.StatusPending, int64(1), int64(1), int64(3))
	case KindClaim:
		f.claimed++
		f.exec(updateClaim, store.StatusRunning, int64(store.HoldActive), int64(1), int64(1), data[len(data)-16:], now,
			int64(0), now, f.claimed)
	case KindResult:
		f.completed++
		f.exec(insertAttempt, f.completed, int64(1), int64(1), int64(1), now, now, nil, nil, nil, nil, nil)
		f.exec(updateComplete, store.StatusCompleted, int64(store.HoldNone), now, now, f.completed)
	}
}

func (f *rawFSM) exec(s store.Statement, args ...driver.Value) {
	if err := f.state.DB.Exec(s, args...); err != nil {
		panic(err)
	}
}

// cpuTime is the CPU time of this process so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cycle submits a job, claims one, not always the same, and completes it.
func cycle(ctx context.Context, p *Proposer, node string, spec []ffrtmp.Spec) (uint64, error) {
	if _, _, err := p.Submit(ctx, Idempotency{}, spec); err != nil {
		return 0, err
	}
	_, claimed, err := p.Claim(ctx, node, 1)
	if err != nil {
		return 0, err
	}
	if len(claimed) != 1 {
		return 0, fmt.Errorf("got %d attempts, want 1", len(claimed))
	}
	a := claimed[0]
	index, _, err := p.Result(ctx, Idempotency{}, a.Seq, ffrtmp.Result{
		JobID: a.JobID, NodeID: node, Attempt: a.Attempt,
		Lease: a.Lease, Status: ffrtmp.ResultCompleted,
	})
	return index, err
}
