package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// callTimeout is a client's timeout for a response.
const callTimeout = 2 * time.Second

// agent claims jobs but encodes nothing. It follows the protocol of package agent: it reports
// its attempts, seals one before completing it, and repeats a result until it gets a response.
type agent struct {
	id     string
	world  *world
	frozen bool // sends and receives nothing

	mu   sync.Mutex
	held map[string]*held // by job and attempt
	busy map[string]bool  // names of active operations, at most one of each
}

// held is an attempt that the agent considers its own.
type held struct {
	job    ffrtmp.Job
	sealed bool // the seal was acknowledged: only completion remains
}

func newAgent(w *world, i int) *agent {
	return &agent{
		id: fmt.Sprintf("00000000-0000-7000-8000-%012d", i), world: w,
		held: map[string]*held{}, busy: map[string]bool{},
	}
}

// begin reports whether the named operation may run now; end must follow.
func (a *agent) begin(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[name] {
		return false
	}
	a.busy[name] = true
	return true
}

func (a *agent) end(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.busy, name)
}

func key(id string, attempt int) string { return fmt.Sprintf("%s/%d", id, attempt) }

func (a *agent) drop(id string, attempt int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.held, key(id, attempt))
}

func (a *agent) list() []*held {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*held, 0, len(a.held))
	for _, h := range a.held {
		list = append(list, h)
	}
	return list
}

func (a *agent) register(m *member) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := ffrtmp.Registration{
		NodeID: a.id,
		Machine: ffrtmp.Machine{
			Address:           a.id,
			MaxConcurrentJobs: 3,
			Encoders:          []string{"libx264"},
			CPUThreads:        2,
		},
	}
	if err := r.Validate(); err != nil {
		return err
	}
	_, _, err := m.proposer.Register(ctx, fsm.Idempotency{}, r)
	return err
}

func (a *agent) claim(m *member, wait time.Duration) {
	if !a.begin("claim") {
		return
	}
	defer a.end("claim")
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout+wait)
	defer cancel()
	_, jobs, err := m.leader.Claim(ctx, a.id, 3, wait)
	a.world.history.count("claim", err)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, j := range jobs {
		if _, known := a.held[key(j.ID, j.Attempt)]; !known {
			a.held[key(j.ID, j.Attempt)] = &held{job: j}
		}
	}
}

func (a *agent) heartbeat(m *member) {
	if !a.begin("heartbeat") {
		return
	}
	defer a.end("heartbeat")
	report := &ffrtmp.Heartbeat{}
	for _, h := range a.list() {
		report.Attempts = append(report.Attempts,
			ffrtmp.AttemptReport{JobID: h.job.ID, Attempt: h.job.Attempt, Lease: h.job.Lease, Progress: 50})
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	commands, _, err := m.leader.Heartbeat(ctx, a.id, report)
	a.world.history.count("heartbeat", err)
	if err != nil {
		return
	}
	for _, c := range commands {
		if c.Command == ffrtmp.CommandStop || c.Command == ffrtmp.CommandCancel {
			a.drop(c.JobID, c.Attempt)
		}
	}
}

// finish ends an attempt: it fails, or succeeds in two steps, sealed and completed.
func (a *agent) finish(m *member, h *held, well bool) {
	name := "finish " + key(h.job.ID, h.job.Attempt)
	if !a.begin(name) {
		return
	}
	defer a.end(name)
	if h.sealed || well {
		a.publish(m, h)
		return
	}
	if err := a.result(m, h, ffrtmp.ResultFailed); err == nil || final(err) {
		a.drop(h.job.ID, h.job.Attempt)
	}
}

// publish seals an attempt, or completes a sealed one. Any fault may happen in between.
func (a *agent) publish(m *member, h *held) {
	if !h.sealed {
		err := a.result(m, h, ffrtmp.ResultPublishing)
		switch {
		case err == nil:
			h.sealed = true
			a.world.history.note(a.world.history.sealed, h.job.ID, h.job.Attempt)
		case final(err):
			a.drop(h.job.ID, h.job.Attempt)
		}
		return
	}
	err := a.result(m, h, ffrtmp.ResultCompleted)
	switch {
	case err == nil:
		a.world.history.note(a.world.history.completed, h.job.ID, h.job.Attempt)
		a.drop(h.job.ID, h.job.Attempt)
	case final(err):
		a.world.t.Errorf("%s: complete sealed attempt %d: got %v, want success", h.job.ID, h.job.Attempt, err)
		a.drop(h.job.ID, h.job.Attempt)
	}
}

// final reports whether a retry is useless.
func final(err error) bool {
	code := ffrtmp.CodeOf(err)
	return code == ffrtmp.StaleAttempt || code == ffrtmp.Conflict || code == ffrtmp.NotFound
}

func (a *agent) result(m *member, h *held, status ffrtmp.ResultStatus) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	r := &ffrtmp.Result{JobID: h.job.ID, NodeID: a.id, Status: status, Attempt: h.job.Attempt, Lease: h.job.Lease}
	if status == ffrtmp.ResultFailed {
		r.Error, r.FailureReason = "encode failed", ffrtmp.RuntimeError
	}
	_, _, err := m.leader.Result(ctx, fsm.Idempotency{}, r)
	a.world.history.count(string(status), err)
	return err
}

// pick returns one of the agent's attempts, or nil.
func (a *agent) pick(rng *rand.Rand) *held {
	list := a.list()
	if len(list) == 0 {
		return nil
	}
	return list[rng.IntN(len(list))]
}
