package sim

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// world is a cluster with its agents and users, and the faults that they meet.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	net     *network
	agents  []*agent
	history *history
	calls   sync.WaitGroup

	mu          sync.Mutex
	submissions int
	unanswered  []int // submissions whose outcome is unknown
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rng: rand.New(rand.NewPCG(seed, 0)), net: newNetwork(t, 3), history: newHistory()}
	for i := range 4 {
		w.agents = append(w.agents, newAgent(w, i))
	}
	w.net.settle()
	for _, a := range w.agents {
		if err := a.register(w.net.leader()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// call runs an operation concurrently with the others.
func (w *world) call(f func(m *member)) {
	m := w.net.leader()
	if m == nil {
		return
	}
	captured := *m // a crash clears the member's parts; a call in flight keeps its own
	w.calls.Go(func() { f(&captured) })
}

// submit sends submission n, perhaps for a second time.
func (w *world) submit(m *member, n int) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	name := strconv.Itoa(n)
	spec := ffrtmp.Spec{Scenario: "360p", Labels: map[string]string{"submission": name}}
	if err := spec.Validate(); err != nil {
		w.t.Error(err)
		return
	}
	id := fsm.Idempotency{Principal: "sim", Key: name, Hash: sha256.Sum256([]byte(name))}
	_, made, err := m.proposer.Submit(ctx, id, []ffrtmp.Spec{spec})
	w.history.count("submit", err)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unanswered = append(w.unanswered, n)
		return
	}
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	if len(made.Jobs) != 1 {
		w.t.Errorf("submission %d: got %d jobs, want 1", n, len(made.Jobs))
		return
	}
	w.history.submitted[made.Jobs[0].ID] = n
	w.history.seq[made.Jobs[0].ID] = made.Jobs[0].SequenceNumber
}

func (w *world) cancel(m *member, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	w.history.mu.Lock()
	seq := w.history.seq[id]
	w.history.mu.Unlock()
	_, _, err := m.proposer.Act(ctx, fsm.Idempotency{}, ffrtmp.Cancel, seq)
	if w.history.count("cancel", err) == "" {
		w.history.mu.Lock()
		defer w.history.mu.Unlock()
		w.history.canceled[id] = true
	}
}

// step runs one random operation or fault.
func (w *world) step() {
	a := w.agents[w.rng.IntN(len(w.agents))]
	switch p := w.rng.IntN(1000); {
	case p < 250:
		if w.net.leader() != nil {
			n := w.nextSubmission()
			w.call(func(m *member) { w.submit(m, n) })
		}
	case p < 450:
		wait := time.Duration(w.rng.IntN(1500)) * time.Millisecond
		if !a.frozen {
			w.call(func(m *member) { a.claim(m, wait) })
		}
	case p < 700:
		if !a.frozen {
			w.call(a.heartbeat)
		}
	case p < 940:
		if h := a.pick(w.rng); h != nil && !a.frozen {
			well := w.rng.IntN(4) > 0
			w.call(func(m *member) { a.finish(m, h, well) })
		}
	case p < 950:
		if ids := w.history.ids(); len(ids) > 0 {
			id := ids[w.rng.IntN(len(ids))]
			w.call(func(m *member) { w.cancel(m, id) })
		}
	case p < 988:
		a.frozen = !a.frozen
	default:
		w.fault()
	}
}

// nextSubmission returns a submission to retry, or a new one.
func (w *world) nextSubmission() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unanswered) > 0 && w.rng.IntN(2) == 0 {
		n := w.unanswered[0]
		w.unanswered = w.unanswered[1:]
		return n
	}
	w.submissions++
	return w.submissions
}

// fault causes or heals a random fault of the masters.
func (w *world) fault() {
	m := w.net.members[w.rng.IntN(len(w.net.members))]
	switch w.rng.IntN(6) {
	case 0, 1:
		if m.up() {
			w.net.crash(m)
		} else {
			w.net.restart(m)
		}
	case 2:
		w.net.isolate(m)
	case 3:
		w.net.isolate(nil)
	case 4:
		if lead := w.net.leader(); lead != nil {
			lead.raft.LeadershipTransfer() // may fail: that is random, too
		}
	case 5:
		w.net.heal()
	}
}

// finish heals all faults, retries every call without a response, and waits until all jobs
// have ended.
func (w *world) finish() {
	w.net.heal()
	w.net.settle()
	for _, a := range w.agents {
		a.frozen = false
	}
	for range 2000 {
		if w.idle() {
			return
		}
		w.mu.Lock()
		again := w.unanswered
		w.unanswered = nil
		w.mu.Unlock()
		for _, n := range again {
			w.call(func(m *member) { w.submit(m, n) })
		}
		for _, a := range w.agents {
			w.call(a.heartbeat)
			w.call(func(m *member) { a.claim(m, 0) })
			for _, h := range a.list() {
				w.call(func(m *member) { a.finish(m, h, true) })
			}
		}
		w.calls.Wait()
		<-time.After(500 * time.Millisecond) // virtual
	}
	w.t.Error("got unfinished jobs after 1,000 s without faults, want none")
}

// idle reports whether every submission has a response and every job has ended.
func (w *world) idle() bool {
	w.mu.Lock()
	open := len(w.unanswered)
	w.mu.Unlock()
	lead := w.net.leader()
	if open > 0 || lead == nil {
		return false
	}
	for _, status := range []ffrtmp.Status{ffrtmp.Pending, ffrtmp.Running, ffrtmp.Paused} {
		list, err := lead.state.Jobs(context.Background(), ffrtmp.Filter{Status: ffrtmp.StatusIn(status)},
			ffrtmp.Page{Limit: 1, Order: ffrtmp.Ascending})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(list.Jobs) > 0 {
			return false
		}
	}
	return true
}

func (w *world) close() {
	w.calls.Wait()
	for _, m := range w.net.members {
		if m.up() {
			m.crash()
		}
	}
}
