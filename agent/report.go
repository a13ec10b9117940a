package agent

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// report says how the attempt stands, and at which byte of the log the next
// report goes on when this one is taken.
func (at *attempt) report() (ffrtmp.AttemptReport, int64) {
	at.mu.Lock()
	defer at.mu.Unlock()
	r := ffrtmp.AttemptReport{JobID: at.jobID, Attempt: at.attempt, Lease: at.job.Lease}
	if at.process == nil {
		r.Detail = &ffrtmp.Progress{Phase: at.phase}
		return r, at.logAt
	}
	st, err := at.process.State()
	if err != nil {
		// The files can be read again the next time; the lease must be renewed now.
		return r, at.logAt
	}
	r.Paused, r.Progress = st.Paused, float64(st.Percent)
	detail := st.Progress
	if at.phase != "" {
		detail.Phase = at.phase
	}
	r.Detail = &detail
	tail, from, next := logSince(at.process, at.logAt, st.LogSize)
	r.LogTail, r.LogOffset = tail, &from
	return r, next
}

// reported notes that a master has taken a report. A new leader has no log yet:
// rewind sends it the last of it again.
func (at *attempt) reported(logAt int64, rewind bool) {
	at.mu.Lock()
	defer at.mu.Unlock()
	if rewind {
		logAt = max(0, logAt-maxReportedLog)
	}
	at.logAt = logAt
	select {
	case <-at.listed:
	default:
		close(at.listed)
	}
}

// leader remembers who answered last. It belongs to the heartbeat loop.
type leader struct{ id string }

// changed reports whether another master than before leads now.
func (l *leader) changed(m client.Meta) bool {
	id := m.Leader
	if id == "" {
		id = m.ServedBy
	}
	changed := l.id != "" && id != l.id
	l.id = id
	return changed
}
