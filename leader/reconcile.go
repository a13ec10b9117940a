package leader

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Changed makes the Service look at everything that runs again, after a user has
// changed many jobs.
func (s *Service) Changed() {
	if t, err := s.leading(); err == nil {
		t.reconcileAll()
	}
}

// NodeChanged makes the Service look at a node again: it has registered or has
// been removed, or a user has canceled, paused or resumed something that it runs
// and must hear of that at once. An id of no node does nothing.
func (s *Service) NodeChanged(id string) {
	t, err := s.leading()
	if err != nil || id == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	j, err := t.cfg.State.Node(id)
	n := t.nodes[id]
	switch {
	case err == nil:
		n = t.addNode(&j)
	case n == nil:
		return
	default:
		n.gone = true
		delete(t.nodes, id)
		n.wake()
	}
	t.reconcile(n.held, t.cfg.State.NodeAttempts(id))
}

// reconcileAll makes memory agree with the state. It also runs now and then,
// because a command may be carried out after its proposer has given it up.
func (t *term) reconcileAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reconcile(t.attempts, t.cfg.State.Running())
}

// reconcile makes attempts, by job id, agree with those that the state says go on.
// The caller has held mu since before it read the state.
func (t *term) reconcile(attempts map[string]*attempt, state []store.Attempt) {
	goesOn := make(map[string]bool, len(state))
	for i := range state {
		r := &state[i]
		goesOn[r.JobID] = !r.Lost
		if a := t.attempts[r.JobID]; a == nil || a.number != r.Attempt {
			t.add(*r)
		} else {
			a.follow(r)
		}
	}
	for id := range attempts {
		if !goesOn[id] {
			t.drop(id, "")
		}
	}
}

// follow takes over how the state says that the attempt stands.
func (a *attempt) follow(r *store.Attempt) {
	if paused := r.Status == ffrtmp.Paused; paused != a.paused {
		a.paused, a.timeout = paused, timeoutOf(r)
		a.node.wake()
	}
	a.sealed = a.sealed || r.Sealed
}
