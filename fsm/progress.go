package fsm

import "github.com/ffrtmp/ffrtmp/fsm/store"

// progress stores samples of the progress of running attempts. Live progress never
// enters the Raft log.
type progress struct {
	v1
	reports []progressReport
}

type progressReport struct {
	store.AttemptID
	percent int64
	detail  string // JSON of a ffrtmp.Progress, or ""
	at      int64  // ns, of the report
}

func (*progress) kind() Kind { return KindProgress }

func (c *progress) encode(e *encoder) {
	e.uint(uint64(len(c.reports)))
	for i := range c.reports {
		r := &c.reports[i]
		encodeID(e, r.AttemptID)
		e.int(r.percent)
		e.string(r.detail)
		e.int(r.at)
	}
}

func decodeProgress(d *decoder) command {
	c := &progress{reports: make([]progressReport, d.count(5))}
	for i := range c.reports {
		r := &c.reports[i]
		r.AttemptID = decodeID(d)
		r.percent = d.int()
		r.detail = d.string()
		r.at = d.int()
	}
	return c
}

var updateProgress = store.Prepared(`UPDATE job_state SET progress = ?, progress_detail = ?,
	last_activity_at = max(last_activity_at, ?) WHERE seq = ?`)

func (c *progress) apply(t *tx) any {
	done := Done{}
	for _, r := range c.reports {
		j, ok := t.jobs[r.Seq]
		if !ok || j.attempt != int64(r.Attempt) || !j.hold.Current() {
			continue
		}
		t.exec(updateProgress, r.percent, store.Null(r.detail), min(r.at, t.now), int64(j.seq))
		t.columns.setProgress(j.seq, r.percent)
		done.Count++
	}
	return done
}
