package fsm

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// Waiting explains why a pending job is not claimed.
type Waiting struct {
	Ahead   int      // pending jobs that are served first, for any node
	Avoided []string // ids of nodes that do not get it while another can run it
	Outside []string // ids of nodes whose media roots do not contain its files, while another's may
}

// Waiting explains a pending job; it is empty for any other.
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
	w.Ahead = f.state.ready.ahead(j)
	if len(j.class.avoid) > 0 && f.state.elsewhere(j.class) {
		for _, key := range j.class.avoid {
			w.Avoided = append(w.Avoided, f.state.nodes.byKey[key].ID)
		}
		slices.Sort(w.Avoided)
	}
	w.Outside = f.state.outside(j.class)
	return w
}

// Ahead counts the jobs that would be served before a new one.
func (f *FSM) Ahead(q ffrtmp.Queue, p ffrtmp.Priority) int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return 0
	}
	count := 0
	for rank := range f.state.ready.ranks[:ffrtmp.Rank(q, p)+1] {
		for _, c := range f.state.ready.ranks[rank] {
			count += len(c.heaps[rank])
		}
	}
	return count
}

// Runs reports whether this attempt of a job is running.
func (f *FSM) Runs(seq uint64, attempt int) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return false
	}
	j, ok := f.state.jobs[seq]
	return ok && j.hold.Current() && j.attempt == int64(attempt)
}

// ahead counts the claimable jobs that come before a job in the order of service.
func (r *ready) ahead(j *activeJob) int {
	count := 0
	for rank := range r.ranks[:j.rank+1] {
		for _, c := range r.ranks[rank] {
			if rank < j.rank {
				count += len(c.heaps[rank])
				continue
			}
			c.heaps[rank].until(int64(j.seq)-1, func(*activeJob) bool { count++; return true })
		}
	}
	return count
}
