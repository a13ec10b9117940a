package fsm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// A random history gives the same state one entry at a time, in batches, and over restarts, crashes and snapshots.
func TestReplicas_Agree(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			origin := newCluster(t)
			h := newHistory(origin, random)
			for range 250 {
				h.step()
			}
			origin.checkDerived()
			entries := h.entries()

			one := newCluster(t)
			for _, e := range entries {
				one.fsm.Apply(e)
			}
			one.checkDerived()
			if rows(one.fsm) != rows(origin.fsm) {
				t.Fatalf("commands in shared entries: got\n%s\nwant\n%s", rows(one.fsm), rows(origin.fsm))
			}
			ways := map[string]func(*cluster, []*raft.Log){
				"batches": func(c *cluster, some []*raft.Log) { c.fsm.ApplyBatch(some) },
				"restarts": func(c *cluster, some []*raft.Log) {
					c.fsm.ApplyBatch(some)
					c.reopen()
					c.fsm.ApplyBatch(some) // Raft offers them again: they are skipped
				},
				"crashes": func(c *cluster, some []*raft.Log) {
					c.collectLong()
					c.fsm.ApplyBatch(some)
					c.crash()
					c.fsm.ApplyBatch(entries[:some[len(some)-1].Index])
				},
				"snapshots": func(c *cluster, some []*raft.Log) {
					c.fsm.ApplyBatch(some)
					c.restore(c.snapshot())
				},
			}
			for name, apply := range ways {
				c := newCluster(t)
				for rest := entries; len(rest) > 0; {
					n := min(len(rest), 1+random.IntN(40))
					apply(c, rest[:n])
					rest = rest[n:]
				}
				c.checkDerived()
				if got, want := c.fsm.state.derived(), one.fsm.state.derived(); got != want {
					t.Fatalf("%s: got\n%s\nwant\n%s", name, got, want)
				}
				if c.hash() != one.hash() {
					t.Fatalf("%s: got content hash %s, want %s", name, c.hash(), one.hash())
				}
			}
		})
	}
}

// history makes random requests, most of them valid.
type history struct {
	*cluster
	random  *rand.Rand
	nodes   []string
	claimed []owned
	jobs    int
	keys    []string
}

type owned struct {
	store.Attempt
	node string
}

func newHistory(c *cluster, random *rand.Rand) *history {
	h := &history{cluster: c, random: random}
	for i := range 4 {
		h.nodes = append(h.nodes, c.register(fmt.Sprint("node", i)))
	}
	return h
}

func pick[T any](h *history, list ...T) T { return list[h.random.IntN(len(list))] }

func (h *history) seq() uint64 { return uint64(h.random.IntN(h.jobs+2) + 1) }

// try accepts a command and a refusal, but no failure.
func (h *history) try(err error) {
	h.Helper()
	if err != nil && ffrtmp.CodeOf(err) == ffrtmp.Internal {
		h.Errorf("got %v, want success or a refusal", err)
	}
}

// step makes one request, which may be refused.
func (h *history) step() {
	h.after(time.Duration(h.random.IntN(4000)) * time.Millisecond)
	ctx := h.Context()
	if h.random.IntN(2) == 0 {
		ctx = WithActor(ctx, Actor{
			Principal: pick(h, append(h.keys, "bootstrap")...), Source: "192.0.2.1",
			RequestID: "r",
		})
	}
	node := pick(h, h.nodes...)
	switch h.random.IntN(23) {
	case 0, 1, 2, 3:
		h.submitSome()
	case 4, 5, 6, 7:
		_, claims, _ := h.Claim(ctx, node, 1+h.random.IntN(3))
		for _, a := range claims {
			h.claimed = append(h.claimed, owned{a, node})
		}
	case 8, 9, 10, 11:
		h.resultOfSome()
	case 12:
		h.try(errOf(h.Expire(ctx, []store.AttemptID{h.attempt(), h.attempt()})))
	case 13:
		if len(h.claimed) > 0 {
			a := pick(h, h.claimed...)
			h.try(errOf(h.Reclaim(ctx, a.node, []store.Attempt{{AttemptID: a.AttemptID, Lease: a.Lease}})))
		}
	case 14:
		action := pick(h, ffrtmp.Cancel, ffrtmp.Pause, ffrtmp.Resume, ffrtmp.Resume, ffrtmp.Retry)
		h.try(errOf(h.Act(ctx, h.key(), action, h.seq())))
	case 15:
		h.changeSome(ctx, node)
	case 16:
		h.try(errOf(h.TimeOut(ctx, []store.AttemptID{h.attempt()})))
	case 17:
		h.try(errOf(h.Progress(ctx, []Report{{
			AttemptID: h.attempt(), Percent: h.random.IntN(100), Detail: &ffrtmp.Progress{FPS: 29.97},
			At: h.now,
		}}, []Seen{{node, h.now}})))
	case 18:
		h.try(errOf(h.SetOffline(ctx, []string{node}, h.random.IntN(2) == 0)))
	case 19:
		h.fleet(ctx, node)
	case 20:
		h.keySome(ctx)
	case 21:
		h.prune()
	case 22:
		h.importSome(node)
	}
}

func (h *history) key() Idempotency {
	if h.random.IntN(3) > 0 {
		return Idempotency{}
	}
	n := byte(h.random.IntN(20))
	return Idempotency{Principal: "p", Key: fmt.Sprint(n), Hash: [32]byte{n, byte(h.random.IntN(2))}}
}

func (h *history) attempt() store.AttemptID {
	if len(h.claimed) == 0 || h.random.IntN(10) == 0 {
		return store.AttemptID{Seq: h.seq(), Attempt: 1}
	}
	a := pick(h, h.claimed...)
	return a.AttemptID
}

func (h *history) submitSome() {
	specs := make([]ffrtmp.Spec, 1+h.random.IntN(3))
	for i := range specs {
		specs[i] = newSpec(h, func(s *ffrtmp.Spec) {
			s.Queue, s.Priority = pick(h, ffrtmp.Queues...), pick(h, ffrtmp.Priorities...)
			s.Scenario = pick(h, "720p", "1080p30-h265", "4K60-vp9") // nobody encodes the last
			s.Labels = map[string]string{"b": "1", "a": fmt.Sprint(h.jobs)}
			if h.random.IntN(3) == 0 {
				s.Parameters = []byte(`{"resource_limits":{"timeout_sec":60}}`)
			}
			if h.random.IntN(3) == 0 {
				s.Parameters = fmt.Appendf(nil, `{"output":"%d.mp4"}`, h.random.IntN(60))
			}
			if h.random.IntN(4) == 0 {
				s.Requires = &ffrtmp.Requires{MinCPUThreads: 4 * (1 + h.random.IntN(4))}
			}
			if h.random.IntN(2) == 0 {
				s.Origin.RequestID = fmt.Sprint("request-", h.jobs)
			}
		})
	}
	if _, made, err := h.Submit(h.Context(), h.key(), specs); err == nil && !made.Replayed {
		h.jobs += len(made.Jobs)
	}
}

// importSome imports jobs with histories of all kinds, some of them known.
func (h *history) importSome(node string) {
	var batch ffrtmp.Import
	for range 1 + h.random.IntN(3) {
		n := h.random.IntN(30)
		j := importedJob42(h, func(j *ffrtmp.ImportedJob) {
			j.ID, j.SequenceNumber, j.RetryCount = numbered(0xf00+n), uint64(h.random.IntN(3*h.jobs+1)),
				h.random.IntN(3)
			j.Status = pick(h, ffrtmp.Pending, ffrtmp.Paused, ffrtmp.Completed, ffrtmp.Failed, ffrtmp.Canceled)
			j.Parameters = fmt.Appendf(nil, `{"output":"%d.mp4"}`, h.random.IntN(60))
			j.CompletedAt = time.Time{}
			if j.Status.Terminal() {
				j.CompletedAt = epoch
			}
			j.LastAttempt.Outcome = pick(h, ffrtmp.AttemptLost, ffrtmp.AttemptFailed)
			if j.Status == ffrtmp.Completed {
				j.LastAttempt.Outcome = ffrtmp.AttemptCompleted
			}
			j.LastAttempt.NodeID = pick(h, node, "", numbered(0xe00))
		})
		batch.Jobs = append(batch.Jobs, j)
	}
	if h.random.IntN(3) == 0 {
		batch.Nodes = append(batch.Nodes, importedNode42(h,
			func(n *ffrtmp.ImportedNode) { n.ID = numbered(0xe00 + h.random.IntN(2)) }))
	}
	if _, taken, err := h.Import(h.Context(), h.key(), batch); err == nil {
		h.jobs = max(h.jobs, int(taken.from+taken.span)-1)
	}
}

func (h *history) resultOfSome() {
	if len(h.claimed) == 0 {
		return
	}
	a := pick(h, h.claimed...)
	if h.random.IntN(10) == 0 {
		a.Lease = "forged"
	}
	reason := pick(h, ffrtmp.UserError, ffrtmp.InputError, ffrtmp.RuntimeError, ffrtmp.Timeout, ffrtmp.OutputError,
		ffrtmp.NetworkError, ffrtmp.PlatformError)
	_, _ = h.result(a.node, a.Attempt, pick(h, ffrtmp.ResultPublishing, ffrtmp.ResultCompleted, ffrtmp.ResultFailed,
		ffrtmp.ResultFailed, ffrtmp.ResultCanceled),
		failing(reason, "it says so"), func(r *ffrtmp.Result) { r.Logs = "a log" })
}

func (h *history) keySome(ctx context.Context) {
	if len(h.keys) > 0 && h.random.IntN(3) == 0 {
		h.try(errOf(h.RevokeKey(ctx, pick(h, h.keys...))))
		_, setErr := h.Set(ctx, Setting{Action: "set", Key: pick(h, "a", "b"), Value: pick(h, "", "1", "2")})
		h.try(setErr)
		_, err := h.Note(ctx, "leader.transfer", "m1")
		h.try(err)
		return
	}
	k := ffrtmp.NewKey{
		Name: "k", Scopes: []ffrtmp.Scope{pick(h, ffrtmp.Scopes...)},
		ExpiresIn: ffrtmp.Duration(h.random.IntN(2) * int(time.Minute)),
	}
	if _, made, _, err := h.CreateKey(ctx, h.key(), k); err == nil {
		h.keys = append(h.keys, made.ID)
	}
	if h.random.IntN(20) == 0 {
		h.after(ffrtmp.KeyKept) // the next one replaces the ended ones
	}
}

func (h *history) changeSome(ctx context.Context, node string) {
	if h.random.IntN(2) == 0 {
		queue, retries := pick(h, ffrtmp.Queues...), h.random.IntN(5)
		change := ffrtmp.Patch{Queue: &queue, MaxRetries: &retries, Labels: map[string]string{"c": "3"}}
		h.try(errOf(h.Patch(ctx, Idempotency{}, h.seq(), change)))
		return
	}
	filter := ffrtmp.Filter{
		Status: pick(h, "", ffrtmp.StatusIn(ffrtmp.Pending), "running,paused"), NodeID: pick(h, "", node),
	}
	change := pick(h, ffrtmp.Change{Action: pick(h, store.ActionCodes...)}, ffrtmp.Change{Priority: ffrtmp.Low})
	h.try(errOf(h.ChangeMany(ctx, h.key(), change, filter, []uint64{h.seq(), h.seq()})))
}

func (h *history) prune() {
	h.after(time.Minute)
	before := h.now.Add(-time.Duration(h.random.IntN(600)) * time.Second)
	seqs, err := h.fsm.OldJobs(h.Context(), before, 0, 10)
	if err != nil {
		h.Fatal(err)
	}
	keys := []store.RequestID{
		store.NewRequestID("p", fmt.Sprint(h.random.IntN(20))),
		store.NewRequestID("p", fmt.Sprint(h.random.IntN(20))),
	}
	seqs = append(seqs, uint64(h.jobs))
	h.try(errOf(h.Prune(h.Context(), PruneRequest{Before: before, Events: before, Seqs: seqs, Keys: keys})))
}

func (h *history) fleet(ctx context.Context, node string) {
	switch h.random.IntN(6) {
	case 0:
		h.try(errOf(h.RemoveNode(ctx, node, h.random.IntN(2) == 0)))
	case 1:
		h.try(errOf(h.SetEligibility(ctx, Idempotency{}, node, pick(h, ffrtmp.Cordoned, ffrtmp.Draining), 0)))
	case 2:
		//nolint:contextcheck // agents register without an actor
		old := h.register("old", func(r *ffrtmp.Registration) { r.NodeID = "" })
		h.nodes = append(h.nodes[:4], old)
	default:
		h.try(errOf(h.SetEligibility(ctx, Idempotency{}, node, ffrtmp.Eligible, 0)))
		h.register(fmt.Sprint("node", h.random.IntN(4)), //nolint:contextcheck // agents register without an actor
			func(r *ffrtmp.Registration) { r.CPUThreads = 4 * (1 + h.random.IntN(4)) })
	}
}

// entries splits the commands of the history into new entries of random sizes, with
// Raft configuration entries in between.
func (h *history) entries() []*raft.Log {
	var commands [][]byte
	for _, e := range h.cluster.entries {
		d := decoder{b: e.Data[1:]}
		for range d.count(4) {
			commands = append(commands, d.view())
		}
	}
	var list []*raft.Log
	for len(commands) > 0 {
		e := &raft.Log{Index: uint64(len(list) + 1), Term: uint64(1 + len(list)/50), Type: raft.LogConfiguration}
		if h.random.IntN(10) > 0 {
			n := min(len(commands), 1+h.random.IntN(5))
			e.Type, e.Data = raft.LogCommand, encodeEntry(commands[:n])
			commands = commands[n:]
		}
		list = append(list, e)
	}
	return list
}

// snapshot returns a snapshot of the current state.
func (c *cluster) snapshot() []byte {
	c.Helper()
	s, err := c.fsm.Snapshot()
	if err != nil {
		c.Fatal(err)
	}
	defer s.Release()
	var sink memorySink
	if err := s.Persist(&sink); err != nil {
		c.Fatal(err)
	}
	return sink.Bytes()
}

// restore continues with a new FSM restored from a snapshot.
func (c *cluster) restore(data []byte) {
	c.Helper()
	if err := c.fsm.Close(); err != nil {
		c.Fatal(err)
	}
	dir := c.TempDir()
	c.opts.Path, c.opts.Dir = filepath.Join(dir, "master.db"), dir
	c.fsm = c.open()
	if err := c.fsm.Restore(io.NopCloser(bytes.NewReader(data))); err != nil {
		c.Fatal(err)
	}
}

// memorySink is a snapshot sink in memory.
type memorySink struct{ bytes.Buffer }

func (*memorySink) ID() string    { return "memory" }
func (*memorySink) Close() error  { return nil }
func (*memorySink) Cancel() error { return nil }
