package fsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// heldLog is a log that applies entries when the test releases them.
type heldLog struct {
	mu      sync.Mutex
	entries [][]byte
	release chan error // one for each entry
}

func (l *heldLog) Apply(ctx context.Context, data []byte) (uint64, any, error) {
	l.mu.Lock()
	l.entries = append(l.entries, data)
	index := uint64(len(l.entries))
	l.mu.Unlock()
	select {
	case err := <-l.release:
		if err != nil {
			return 0, nil, err
		}
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
	answers := make([]any, commandsIn(data))
	for i := range answers {
		answers[i] = Done{Seq: index}
	}
	return index, answers, nil
}

func commandsIn(entry []byte) int {
	list, err := decodeEntry(entry)
	if err != nil {
		panic(err)
	}
	return len(list)
}

// sizes are the numbers of commands of the entries so far.
func (l *heldLog) sizes() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []int
	for _, e := range l.entries {
		list = append(list, commandsIn(e))
	}
	return list
}

// Commands that queue while entries are in flight share the next entry, and only many are
// worth a second one in flight.
func TestBatch_Coalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{release: make(chan error)}
		p := NewProposer(log, ProposerOptions{})
		var done sync.WaitGroup
		check := func(commands int, want ...int) {
			t.Helper()
			for i := range commands {
				done.Go(func() {
					if _, _, err := p.Act(t.Context(), Idempotency{}, ffrtmp.Cancel, uint64(i)); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
			if got, want := fmt.Sprint(log.sizes()), fmt.Sprint(want); got != want {
				t.Fatalf("got entries of %s, want %s", got, want)
			}
		}
		check(1, 1)
		check(minSecond-1, 1)
		check(1, 1, minSecond)
		check(maxBatch+100, 1, minSecond)
		log.release <- nil
		check(0, 1, minSecond, maxBatch)
		log.release <- nil
		check(0, 1, minSecond, maxBatch, 100)
		check(minSecond-1, 1, minSecond, maxBatch, 100)
		log.release <- nil // one is in flight, so these wait for it
		check(0, 1, minSecond, maxBatch, 100)
		log.release <- nil
		check(0, 1, minSecond, maxBatch, 100, minSecond-1)
		log.release <- nil
		done.Wait()
	})
}

// An entry stays below the size limit.
func TestBatch_MaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{release: make(chan error)}
		b := batcher{log: log}
		large := encodeCommand(envelope{}, &result{
			status: ffrtmp.ResultFailed,
			Result: store.Result{Log: string(make([]byte,
				maxBatchBytes*2/5))},
		})
		var done sync.WaitGroup
		for i := range 1 + 4 {
			done.Go(func() {
				if _, _, err := b.propose(t.Context(), large); err != nil {
					t.Error(err)
				}
			})
			if i < 1 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		for range 3 {
			log.release <- nil
			synctest.Wait()
		}
		done.Wait()
		if got := fmt.Sprint(log.sizes()); got != "[1 2 2]" {
			t.Fatalf("got entries of %s, want [1 2 2]", got)
		}
	})
}

// A small command does not wait for queued bulk commands, only for the entry in flight.
func TestBatch_Lanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{release: make(chan error)}
		b := batcher{log: log}
		bulk := encodeCommand(envelope{}, &result{
			status: ffrtmp.ResultFailed, Result: store.Result{Log: string(make([]byte, bulkBytes))},
		})
		small := encodeCommand(envelope{}, &act{action: ffrtmp.Cancel})
		var done sync.WaitGroup
		for _, data := range [][]byte{bulk, bulk, bulk, small} {
			done.Go(func() {
				if _, _, err := b.propose(t.Context(), data); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		if got := fmt.Sprint(log.sizes()); got != "[1 1]" {
			t.Fatalf("got entries of %s in flight, want a bulk and a small one", got)
		}
		if got := len(log.entries[1]); got >= bulkBytes {
			t.Errorf("got %d bytes, want the small command", got)
		}
		for range 3 {
			log.release <- nil
			synctest.Wait()
		}
		done.Wait()
		if got := fmt.Sprint(log.sizes()); got != "[1 1 2]" {
			t.Errorf("got entries of %s, want [1 1 2]", got)
		}
	})
}

// A queued command is withdrawn and safe to retry; the outcome of a proposed one is unknown.
func TestBatch_ContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{release: make(chan error)}
		p := NewProposer(log, ProposerOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make([]error, 2)
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() { _, _, errs[i] = p.Act(ctx, Idempotency{}, ffrtmp.Cancel, uint64(i)) })
			synctest.Wait()
		}
		cancel()
		done.Wait()
		wantCode(t, errs[0], ffrtmp.UnknownOutcome)
		wantCode(t, errs[1], ffrtmp.NoLeader)
		if !errors.Is(errs[1], context.Canceled) {
			t.Fatalf("got %v, want an error that wraps its cause", errs[1])
		}
		log.release <- nil
		synctest.Wait()
		if got := fmt.Sprint(log.sizes()); got != "[1]" {
			t.Fatalf("entries of %s: what was withdrawn was proposed", got)
		}
	})
}

// The error's code says whether it is safe to retry.
func TestBatch_ErrorCodes(t *testing.T) {
	for err, code := range map[error]ffrtmp.Code{
		raft.ErrNotLeader:                              ffrtmp.NoLeader,
		raft.ErrLeadershipTransferInProgress:           ffrtmp.NoLeader,
		raft.ErrEnqueueTimeout:                         ffrtmp.NoLeader,
		fmt.Errorf("apply: %w", raft.ErrNotLeader):     ffrtmp.NoLeader,
		raft.ErrLeadershipLost:                         ffrtmp.UnknownOutcome,
		raft.ErrRaftShutdown:                           ffrtmp.UnknownOutcome,
		raft.ErrAbortedByRestore:                       ffrtmp.UnknownOutcome,
		context.DeadlineExceeded:                       ffrtmp.UnknownOutcome,
		errors.New("something that nobody thought of"): ffrtmp.UnknownOutcome,
	} {
		log := &heldLog{release: make(chan error, 1)}
		log.release <- err
		_, _, got := NewProposer(log, ProposerOptions{}).Act(t.Context(), Idempotency{}, ffrtmp.Cancel, 1)
		wantCode(t, got, code)
		if !errors.Is(got, err) {
			t.Errorf("got %v, want an error that wraps its cause", got)
		}
	}
}

// A full queue rejects commands.
func TestBatch_QueueLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &heldLog{release: make(chan error)}
		b := batcher{log: log}
		ctx, cancel := context.WithCancel(t.Context())
		data := encodeCommand(envelope{}, &act{action: ffrtmp.Cancel})
		var done sync.WaitGroup
		for _, commands := range []int{1, minSecond, maxQueued} { // two entries in flight, and a full queue
			for range commands {
				done.Go(func() { _, _, _ = b.propose(ctx, data) })
			}
			synctest.Wait()
		}
		_, _, err := b.propose(ctx, data)
		wantCode(t, err, ffrtmp.RateLimited)
		cancel()
		done.Wait()
		log.release <- nil
		log.release <- nil
		synctest.Wait()
	})
}

// A real Raft of three submits and runs jobs; all replicas reach the same state. synctest keeps a slow machine from
// deposing the leader.
func TestReplicas_Converge(t *testing.T) {
	synctest.Test(t, testReplicas)
}

func testReplicas(t *testing.T) {
	replicas := newReplicas(t, func(f *FSM) raft.FSM { return f })
	p := NewProposer(replicas[0], ProposerOptions{})
	nodes := make([]string, 8)
	for i := range nodes {
		_, registered, err := p.Register(t.Context(), Idempotency{}, ffrtmp.Registration{
			NodeID: numbered(i),
			Machine: ffrtmp.Machine{
				Address:           "a",
				MaxConcurrentJobs: 2,
				Encoders:          []string{"libx264"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		nodes[i] = registered.Node.ID
	}
	var last uint64
	var mu sync.Mutex
	var done sync.WaitGroup
	for _, node := range nodes {
		done.Go(func() {
			for range 20 {
				index, err := cycle(t.Context(), p, node, []ffrtmp.Spec{newSpec(t)})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				last = max(last, index)
				mu.Unlock()
			}
		})
	}
	done.Wait()
	if n := replicas[0].fsm.Counts(); n.Submitted != 160 || n.Jobs[ffrtmp.Completed] != 160 {
		t.Fatalf("%+v", n)
	}
	var hashes []string
	for _, r := range replicas {
		if err := r.fsm.WaitIndex(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		sum, err := r.fsm.ContentHash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, sum)
	}
	if hashes[0] != hashes[1] || hashes[0] != hashes[2] {
		t.Fatalf("replicas differ: %v", hashes)
	}
}
