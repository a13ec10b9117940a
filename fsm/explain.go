package fsm

import "slices"

// Waiting is what keeps a pending job from being claimed.
type Waiting struct {
	Ahead   int      // pending jobs that are served first, whatever nodes they need
	Avoided []string // ids of nodes that are given it only when no other can run it
}

// Waiting tells of a pending job; of any other it tells nothing. Its cost is that of
// the number of jobs that are not over.
func (f *FSM) Waiting(seq uint64) Waiting {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var w Waiting
	if f.state == nil {
		return w
	}
	j, ok := f.state.jobs[seq]
	if !ok || j.heap == nil {
		return w
	}
	for _, other := range f.state.jobs {
		if other.heap != nil && (other.rank < j.rank || other.rank == j.rank && other.seq < j.seq) {
			w.Ahead++
		}
	}
	for _, key := range j.class.avoid {
		w.Avoided = append(w.Avoided, f.state.nodes.byKey[key].ID)
	}
	slices.Sort(w.Avoided)
	return w
}
