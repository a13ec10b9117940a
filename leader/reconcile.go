package leader

import "github.com/ffrtmp/ffrtmp/fsm/store"

// Changed makes the Service compare all running attempts with the state, after a user has
// changed many jobs.
func (s *Service) Changed() {
	if t, err := s.leading(); err == nil {
		t.reconcileAll()
	}
}

// NodeChanged makes the Service compare a node with the state: it was registered or
// removed, or a user has canceled, paused or resumed a job on it. An unknown id does
// nothing.
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
		n.removed = true
		delete(t.nodes, id)
		n.wake()
	}
	t.reconcile(n.held, t.cfg.State.NodeAttempts(id))
}

// reconcileAll makes memory agree with the state. It also runs periodically, because a
// command may be committed after its proposer has timed out.
func (t *term) reconcileAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reconcile(t.attempts, t.cfg.State.Running())
}

// reconcile makes attempts, by job id, agree with those that run in the state. The caller
// has held mu since before it read the state.
func (t *term) reconcile(attempts map[string]*attempt, state []store.Attempt) {
	running := make(map[string]bool, len(state))
	for i := range state {
		r := &state[i]
		running[r.JobID] = !r.Lost
		if a := t.attempts[r.JobID]; a == nil || a.AttemptID.Attempt != r.Attempt {
			t.add(*r)
		} else {
			a.follow(r)
		}
	}
	for id := range attempts {
		if !running[id] {
			t.drop(id)
		}
	}
}
