package leader

import (
	"cmp"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

const (
	// saveInterval is how often live progress and heartbeats are committed to the state.
	saveInterval = 30 * time.Second
	// maxSave bounds the attempts, and the nodes, in one command.
	maxSave = 5000
)

// Overlay puts live progress into a job that was read from the state. It returns false if
// the job's attempt has ended since.
func (s *Service) Overlay(j *ffrtmp.Job) bool {
	t := s.current()
	if t == nil || j.Status != ffrtmp.Running && j.Status != ffrtmp.Paused {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.attempts[j.ID]
	if a == nil || a.AttemptID.Attempt != j.Attempt {
		return false
	}
	if a.reported.IsZero() {
		return true
	}
	j.Progress, j.LastActivityAt = a.progress, a.reported.Round(0).UTC()
	if detail := a.liveDetail(); detail != nil {
		j.ProgressDetail = detail
	}
	return true
}

// LiveProgress returns what the nodes have reported of their running attempts after a time, by the jobs'
// sequence numbers.
func (s *Service) LiveProgress(after time.Time) []ffrtmp.ProgressEvent {
	list := []ffrtmp.ProgressEvent{}
	t := s.current()
	if t == nil {
		return list
	}
	t.mu.Lock()
	for _, a := range t.attempts {
		if a.reported.IsZero() || !a.reported.After(after) {
			continue
		}
		e := ffrtmp.ProgressEvent{
			Time: a.reported.Round(0).UTC(), Type: ffrtmp.JobProgress, JobID: a.JobID, SequenceNumber: a.Seq,
			Attempt: a.AttemptID.Attempt, NodeID: a.node.id, Progress: a.progress, Detail: a.liveDetail(),
		}
		list = append(list, e)
	}
	t.mu.Unlock()
	slices.SortFunc(list, func(a, b ffrtmp.ProgressEvent) int {
		return cmp.Compare(a.SequenceNumber, b.SequenceNumber)
	})
	return list
}

// liveDetail is a copy of what was last reported, or nil.
func (a *attempt) liveDetail() *ffrtmp.Progress {
	if a.detail == nil {
		return nil
	}
	detail := *a.detail
	if a.Sealed {
		detail.Phase = ffrtmp.PublishingPhase
	}
	return &detail
}

// Verifying returns the sequence numbers of the jobs whose output is being checked, as their nodes have reported.
func (s *Service) Verifying() map[uint64]bool {
	seqs := map[uint64]bool{}
	t := s.current()
	if t == nil {
		return seqs
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.attempts {
		if a.detail != nil && a.detail.Phase == ffrtmp.VerifyingPhase {
			seqs[a.Seq] = true
		}
	}
	return seqs
}

// Log returns the log of a running attempt, or nil.
func (s *Service) Log(jobID string, attempt int) *Log {
	t := s.current()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.attempts[jobID]; a != nil && a.AttemptID.Attempt == attempt {
		return a.log
	}
	return nil
}

// save proposes the progress and the nodes' heartbeats that are not in the state yet.
func (t *term) save() {
	reports, nodes := t.unsaved()
	for len(reports)+len(nodes) > 0 {
		r, n := min(len(reports), maxSave), min(len(nodes), maxSave)
		if _, _, err := t.cfg.Proposer.Progress(t.ctx, reports[:r], nodes[:n]); err != nil {
			t.cfg.Logger.Warn("cannot save progress; retrying with the next report", "error", err)
			return
		}
		reports, nodes = reports[r:], nodes[n:]
	}
}

// unsaved returns what save proposes, and marks it as saved.
func (t *term) unsaved() (reports []fsm.Report, nodes []fsm.Seen) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.attempts {
		if a.unsaved {
			a.unsaved = false
			reports = append(reports,
				fsm.Report{AttemptID: a.AttemptID, Percent: a.progress, Detail: a.detail, At: a.reported})
		}
	}
	for _, n := range t.nodes {
		if n.contacted && n.seen.After(n.saved) {
			n.saved = n.seen
			nodes = append(nodes, fsm.Seen{NodeID: n.id, At: n.seen})
		}
	}
	return reports, nodes
}
