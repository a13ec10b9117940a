package fsm

import "github.com/ffrtmp/ffrtmp/fsm/store"

// progress stores samples of the progress of running attempts, and of the nodes' heartbeats. What is live never enters
// the Raft log.
type progress struct {
	v1
	reports []progressReport
	nodes   []nodeSeen
}

type nodeSeen struct {
	id string
	at int64 // ns, of the newest heartbeat
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
	e.uint(uint64(len(c.nodes)))
	for _, n := range c.nodes {
		e.string(n.id)
		e.int(n.at)
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
	c.nodes = make([]nodeSeen, d.count(2))
	for i := range c.nodes {
		c.nodes[i] = nodeSeen{d.string(), d.int()}
	}
	return c
}

var updateProgress = store.Prepared(`UPDATE job_state SET progress = ?, progress_detail = ?,
	last_activity_at = max(last_activity_at, ?) WHERE seq = ?`)

var updateHeartbeat = store.Prepared(`UPDATE node SET last_heartbeat = ? WHERE key = ?`)

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
	for _, seen := range c.nodes {
		t.heartbeat(seen)
	}
	return done
}

// heartbeat stores a node's heartbeat, unless the state has a newer one.
func (t *tx) heartbeat(seen nodeSeen) {
	at := min(seen.at, t.now)
	n, known := t.nodes.byID[seen.id]
	if !known || n.Removed || at <= n.LastHeartbeat.UnixNano() {
		return
	}
	n.LastHeartbeat = store.TimeOf(at)
	t.exec(updateHeartbeat, at, n.Key)
}
