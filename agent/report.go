package agent

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// report returns the attempt's state, and the log offset at which the next report
// continues if this one is accepted.
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
		// The next report can read the files again; the lease must be renewed now.
		return r, at.logAt
	}
	r.Paused, r.Progress = st.Paused, float64(st.Percent)
	detail := st.Progress
	if at.phase != "" {
		detail.Phase = at.phase
		detail.FPS, detail.Speed, detail.ETASeconds = 0, 0, 0 // ffmpeg has ended
	}
	r.Detail = &detail
	tail, from, next := logSince(at.process, at.logAt, st.LogSize)
	r.LogTail, r.LogOffset = tail, &from
	return r, next
}

// addProgress adds to a result how far the attempt came.
func (at *attempt) addProgress(r *ffrtmp.Result) {
	report, _ := at.report()
	if report.Detail == nil {
		return
	}
	detail := *report.Detail
	detail.FPS, detail.Speed, detail.ETASeconds = 0, 0, 0 // ffmpeg has ended
	r.Progress, r.ProgressDetail = report.Progress, &detail
}

// reported records that a master has accepted a report. A new leader has no live log
// yet; rewind resends the tail.
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

// leader remembers who answered last. Only the heartbeat loop uses it.
type leader struct{ id string }

// changed reports whether the leader has changed.
func (l *leader) changed(m client.Meta) bool {
	id := m.Leader
	if id == "" {
		id = m.ServedBy
	}
	changed := l.id != "" && id != l.id
	l.id = id
	return changed
}
