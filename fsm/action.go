package fsm

import (
	"cmp"
	"database/sql/driver"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// act is what a user asks of one job.
type act struct {
	v1
	action ffrtmp.Action
	seq    uint64
}

func (*act) kind() Kind { return KindAct }

func (c *act) encode(e *encoder) {
	e.uint(uint64(store.Code(store.ActionCodes, c.action)))
	e.uint(c.seq)
}

func decodeAct(d *decoder) command {
	return &act{action: store.ActionCodes[d.code(len(store.ActionCodes))], seq: d.uint()}
}

var (
	updateStatus = store.Prepared(`UPDATE job_state SET status = ?, timeout_at = ?, last_activity_at = ? WHERE seq = ?`)
	updateCancel = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, completed_at = ?, last_activity_at = ?
	WHERE seq = ?`)
	updateRevived = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, retry_count = 0, losses = 0,
	not_before = 0, completed_at = 0,
	last_activity_at = ?, progress = 0, progress_detail = NULL, avoid = '', retry_reason = NULL, error = NULL,
	failure_reason = NULL WHERE seq = ?`)
)

func (c *act) apply(t *tx) any {
	j, key, refused := t.findAny(c.seq)
	if refused != nil {
		return refused
	}
	if !j.status.Allows(c.action) {
		return ffrtmp.Errorf(ffrtmp.Conflict, "job %s is %s: it cannot be asked to %s", j.id, j.status, c.action)
	}
	if j.hold == store.HoldSealed {
		return ffrtmp.Errorf(ffrtmp.Conflict, "job %s is publishing its output: it cannot be asked to %s", j.id,
			c.action)
	}
	switch c.action {
	case ffrtmp.Cancel:
		t.cancel(j)
	case ffrtmp.Pause:
		t.setStatus(j, ffrtmp.Paused)
	case ffrtmp.Resume:
		if j.hold == store.HoldActive {
			t.setStatus(j, ffrtmp.Running)
		} else {
			t.setStatus(j, ffrtmp.Pending)
		}
	case ffrtmp.Retry:
		return t.revive(j, key)
	}
	return Done{Seq: j.seq, Count: 1, Status: j.status}
}

func (c *act) audit(t *tx) entry { return entry{"job." + string(c.action), t.jobTarget(c.seq), ""} }

func (c *act) replay(_ *tx, k kept) any {
	return Done{Seq: k.seq, Count: 1, Status: store.StatusCodes[k.count], Replayed: true}
}

// findAny is find that also returns the class key of a job that is over.
func (t *tx) findAny(seq uint64) (*activeJob, classKey, *ffrtmp.Error) {
	if j, ok := t.jobs[seq]; ok {
		return j, j.class.key, nil
	}
	return t.findOver(seq)
}

// setStatus pauses or resumes a job. An attempt's time stands still meanwhile: what
// was left of it is kept as a negative timeout_at.
func (t *tx) setStatus(j *activeJob, status ffrtmp.Status) {
	switch {
	case status == ffrtmp.Paused && j.timeoutAt > 0:
		j.timeoutAt = min(t.now-j.timeoutAt, -1)
	case status != ffrtmp.Paused && j.timeoutAt < 0:
		j.timeoutAt = t.now - j.timeoutAt
	}
	t.change(j, status, j.hold)
	t.exec(updateStatus, store.Code(store.StatusCodes, status), j.timeoutAt, t.now, int64(j.seq))
	what := ffrtmp.JobResumed
	if status == ffrtmp.Paused {
		what = ffrtmp.JobPaused
	}
	t.jobEvent(what, j, 0, "")
}

// cancel ends a job; an attempt that goes on is fenced off. It reports whether
// the job was not canceled before.
func (t *tx) cancel(j *activeJob) bool {
	if j.status == ffrtmp.Canceled {
		return false
	}
	if j.hold == store.HoldActive {
		t.end(j, store.Result{Outcome: ffrtmp.AttemptCanceled})
	}
	t.meta.Canceled++
	t.change(j, ffrtmp.Canceled, store.HoldNone)
	t.exec(updateCancel, store.StatusCanceled, int64(store.HoldNone), t.now, t.now, int64(j.seq))
	t.jobEvent(ffrtmp.JobCanceled, j, 0, "")
	return true
}

// revive puts a job that is over back into the queue as if it were new, but for
// the numbers of its attempts.
func (t *tx) revive(j *activeJob, key classKey) any {
	class, err := t.ready.class(classKey{requires: key.requires})
	if err != nil {
		return ffrtmp.Errorf(ffrtmp.Internal, "job %s: %v", j.id, err)
	}
	j.status, j.retries, j.losses, j.notBefore = ffrtmp.Pending, 0, 0, 0
	t.add(j, class)
	t.exec(updateRevived, store.StatusPending, int64(store.HoldNone), t.now, int64(j.seq))
	t.jobEvent(ffrtmp.JobRequeued, j, 0, "")
	return Done{Seq: j.seq, Count: 1, Status: j.status}
}

// cancelMany cancels those of its jobs that can be canceled and still have the
// status and node that they were chosen for. A request about more jobs than one
// command takes is several of them; the last one is final.
type cancelMany struct {
	v1
	seqs   []uint64
	status ffrtmp.Status // "": any
	node   string        // "": any
	before uint64        // jobs canceled by the earlier commands of the same request
	final  bool
}

func (*cancelMany) kind() Kind { return KindCancelMany }

func (c *cancelMany) encode(e *encoder) {
	e.uint(uint64(len(c.seqs)))
	last := uint64(0)
	for _, seq := range c.seqs {
		e.int(int64(seq - last))
		last = seq
	}
	e.string(string(c.status))
	e.string(c.node)
	e.uint(c.before)
	e.bool(c.final)
}

func decodeCancelMany(d *decoder) command {
	c := &cancelMany{seqs: make([]uint64, d.count(1))}
	last := uint64(0)
	for i := range c.seqs {
		last += uint64(d.int())
		c.seqs[i] = last
	}
	c.status = ffrtmp.Status(d.string())
	c.node = d.string()
	c.before = d.uint()
	c.final = d.bool()
	return c
}

func (c *cancelMany) apply(t *tx) any {
	done := Done{Count: int(c.before)}
	for _, seq := range c.seqs {
		j, ok := t.jobs[seq]
		if !ok || j.hold == store.HoldSealed || c.status != "" && j.status != c.status || c.node != "" &&
			(j.node == nil ||
				j.node.ID != c.node) {
			continue
		}
		if t.cancel(j) {
			done.Count++
		}
	}
	return done
}

func (c *cancelMany) partial() bool { return !c.final }

func (c *cancelMany) audit(*tx) entry {
	detail := details("status", string(c.status), "node_id", c.node, "selected", strconv.Itoa(len(c.seqs)))
	return entry{"job.cancel-many", "", detail}
}

// patch changes a pending job.
type patch struct {
	v1
	seq        uint64
	queue      int64 // codes, or -1 to leave as it is
	priority   int64
	maxRetries int64  // or -1
	relabel    bool   // replace the labels
	labels     string // JSON, or ""
}

func (*patch) kind() Kind { return KindPatch }

func (c *patch) encode(e *encoder) {
	e.uint(c.seq)
	e.uint(uint64(c.queue + 1))
	e.uint(uint64(c.priority + 1))
	e.int(c.maxRetries)
	e.bool(c.relabel)
	e.string(c.labels)
}

func decodePatch(d *decoder) command {
	return &patch{
		seq: d.uint(), queue: d.code(len(store.QueueCodes)+1) - 1, priority: d.code(len(store.PriorityCodes)+1) - 1,
		maxRetries: d.int(), relabel: d.bool(), labels: d.string(),
	}
}

var (
	selectPlace  = store.Prepared(`SELECT queue, priority FROM job_state WHERE seq = ?`)
	updatePlace  = store.Prepared(`UPDATE job_state SET queue = ?, priority = ?, max_retries = ? WHERE seq = ?`)
	updateLabels = store.Prepared(`UPDATE job_spec SET labels = ? WHERE seq = ?`)
)

func (c *patch) apply(t *tx) any {
	j, refused := t.find(c.seq)
	if refused != nil {
		return refused
	}
	if j.status != ffrtmp.Pending {
		return ffrtmp.Errorf(ffrtmp.Conflict, "job %s is %s: only a pending job can be changed", j.id, j.status)
	}
	place, ok := t.place(j.seq)
	if !ok {
		return ffrtmp.Errorf(ffrtmp.Internal, "job %s has no state: %v", j.id, t.err)
	}
	if c.queue >= 0 {
		place[0] = c.queue
	}
	if c.priority >= 0 {
		place[1] = c.priority
	}
	if c.maxRetries >= 0 {
		j.maxRetries = c.maxRetries
	}
	t.ready.remove(j)
	j.rank = ffrtmp.Rank(store.QueueCodes[place[0]], store.PriorityCodes[place[1]])
	t.enqueue(j)
	t.exec(updatePlace, place[0], place[1], j.maxRetries, int64(j.seq))
	if c.relabel {
		t.exec(updateLabels, store.Null(c.labels), int64(j.seq))
	}
	t.jobEvent(ffrtmp.JobChanged, j, 0, "")
	return Done{Seq: j.seq, Count: 1}
}

func (c *patch) audit(t *tx) entry {
	var queue, priority, retries, labels string
	if c.queue >= 0 {
		queue = string(store.QueueCodes[c.queue])
	}
	if c.priority >= 0 {
		priority = string(store.PriorityCodes[c.priority])
	}
	if c.maxRetries >= 0 {
		retries = strconv.FormatInt(c.maxRetries, 10)
	}
	if c.relabel {
		labels = cmp.Or(c.labels, "{}")
	}
	return entry{"job.patch", t.jobTarget(c.seq), details("queue", queue, "priority", priority, "max_retries", retries,
		"labels", labels)}
}

// place reads the codes of a job's queue and priority.
func (t *tx) place(seq uint64) (place [2]int64, ok bool) {
	row := make([]driver.Value, 2)
	if !t.row(row, selectPlace, int64(seq)) {
		return place, false
	}
	return [2]int64{row[0].(int64), row[1].(int64)}, true
}
