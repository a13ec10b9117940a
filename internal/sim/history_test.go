package sim

import (
	"context"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// history records the responses that clients and agents got, to check the state against.
type history struct {
	mu        sync.Mutex
	submitted map[string]int            // job id acknowledged → number of the submission
	completed map[string]map[int]bool   // job id → attempts whose completion was acknowledged
	sealed    map[string]map[int]bool   // job id → attempts whose seal was acknowledged
	canceled  map[string]bool           // job ids whose cancellation was acknowledged
	seq       map[string]uint64         // of acknowledged jobs
	counts    map[string]map[string]int // operation → outcome → how often
}

func newHistory() *history {
	return &history{
		submitted: map[string]int{}, completed: map[string]map[int]bool{}, sealed: map[string]map[int]bool{},
		canceled: map[string]bool{}, seq: map[string]uint64{}, counts: map[string]map[string]int{},
	}
}

// count records an operation and returns the code of its error.
func (h *history) count(operation string, err error) ffrtmp.Code {
	code := ffrtmp.CodeOf(err)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.counts[operation] == nil {
		h.counts[operation] = map[string]int{}
	}
	name := string(code)
	if name == "" {
		name = "ok"
	}
	h.counts[operation][name]++
	return code
}

func (h *history) note(of map[string]map[int]bool, id string, attempt int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if of[id] == nil {
		of[id] = map[int]bool{}
	}
	of[id][attempt] = true
}

func (h *history) ids() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := make([]string, 0, len(h.submitted))
	for id := range h.submitted {
		ids = append(ids, id)
	}
	return ids
}

// check compares a settled state with the history, and returns the number of lost
// attempts.
func (h *history) check(t *testing.T, state *fsm.FSM, submissions int) (lost int) {
	t.Helper()
	ctx := context.Background()
	list, err := state.Jobs(ctx, ffrtmp.Filter{}, ffrtmp.Page{Limit: ffrtmp.MaxLimit, Order: ffrtmp.Ascending})
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]string{} // submission → job
	for i, listed := range list.Jobs {
		if listed.SequenceNumber != uint64(i+1) {
			t.Errorf("job %s: got sequence number %d, want %d", listed.ID, listed.SequenceNumber, i+1)
		}
		n := listed.Labels["submission"]
		if other, ok := numbers[n]; ok {
			t.Errorf("submission %s: got two jobs, %s and %s, want one", n, other, listed.ID)
		}
		numbers[n] = listed.ID
		j, err := state.Job(ctx, listed.ID)
		if err != nil {
			t.Fatal(err)
		}
		h.checkJob(t, j)
		for _, a := range j.Attempts {
			if a.Outcome == ffrtmp.AttemptLost {
				lost++
			}
		}
	}
	for id, n := range h.submitted {
		if _, err := state.Job(ctx, id); err != nil {
			t.Errorf("submission %d: got %[3]v, want the acknowledged job %[2]s", n, id, err)
		}
	}
	if len(list.Jobs) > submissions {
		t.Errorf("got %d jobs from %d submissions", len(list.Jobs), submissions)
	}
	return lost
}

func (h *history) checkJob(t *testing.T, j ffrtmp.Job) {
	t.Helper()
	var done []int
	for i, a := range j.Attempts {
		if a.Attempt != i+1 {
			t.Errorf("%s: got attempt %d, want %d", j.ID, a.Attempt, i+1)
		}
		if a.Outcome == ffrtmp.AttemptCompleted {
			done = append(done, a.Attempt)
		}
		if a.Outcome == ffrtmp.AttemptRunning && (i != len(j.Attempts)-1 || j.Status.Terminal()) {
			t.Errorf("%s: got status %s while attempt %d of %d is running", j.ID, j.Status, a.Attempt, len(j.Attempts))
		}
	}
	if len(done) > 1 {
		t.Errorf("%s: got %d results, of attempts %v, want one", j.ID, len(done), done)
	}
	if (j.Status == ffrtmp.Completed) != (len(done) == 1) {
		t.Errorf("%s: got status %s with %d completed attempts", j.ID, j.Status, len(done))
	}
	for attempt := range h.completed[j.ID] {
		if len(done) != 1 || done[0] != attempt {
			t.Errorf("%s: got completed attempts %[3]v, want the acknowledged %[2]d", j.ID, attempt, done)
		}
	}
	// A sealed attempt is the last: none may start while its file is published.
	for attempt := range h.sealed[j.ID] {
		if attempt != j.Attempt {
			t.Errorf("%s: got attempt %[3]d after sealed attempt %[2]d, want none", j.ID, attempt, j.Attempt)
		}
	}
	if h.canceled[j.ID] && j.Status != ffrtmp.Canceled {
		t.Errorf("%s: got status %[2]s after an acknowledged cancellation, want canceled", j.ID, j.Status)
	}
	if n, ok := h.submitted[j.ID]; ok && h.seq[j.ID] != j.SequenceNumber {
		t.Errorf("submission %d: got sequence number %d, want the acknowledged %d", n, j.SequenceNumber, h.seq[j.ID])
	}
}
