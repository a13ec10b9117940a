package fsm

import (
	"cmp"
	"database/sql/driver"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// act cancels, pauses, resumes or retries one job.
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
		return ffrtmp.Errorf(ffrtmp.Conflict, "cannot %s job %s: it is %s", c.action, j.id, j.status)
	}
	if j.hold == store.HoldSealed {
		return ffrtmp.Errorf(ffrtmp.Conflict, "cannot %s job %s: it is publishing its output", c.action, j.id)
	}
	return t.act(c.action, j, key)
}

// act takes an action on a job that is in a state that allows it, or refuses it.
func (t *tx) act(action ffrtmp.Action, j *activeJob, key classKey) any {
	switch action {
	case ffrtmp.Cancel:
		t.cancel(j)
	case ffrtmp.Pause:
		if j.hold == store.HoldActive && j.node.Legacy {
			return ffrtmp.Errorf(ffrtmp.Conflict,
				"cannot pause job %s: the v2.2 agent of node %s runs it and cannot pause", j.id, j.node.Name)
		}
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

// findAny is find that also returns the class key of a finished job.
func (t *tx) findAny(seq uint64) (*activeJob, classKey, *ffrtmp.Error) {
	if j, ok := t.jobs[seq]; ok {
		return j, j.class.key, nil
	}
	return t.findFinished(seq)
}

// setStatus pauses or resumes a job. A paused attempt's timeout does not run: the time
// left is kept as a negative timeout_at.
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

// cancel ends a job, unless it was canceled before, and makes its running attempt stale.
func (t *tx) cancel(j *activeJob) {
	if j.status == ffrtmp.Canceled {
		return
	}
	if j.hold == store.HoldActive {
		t.end(j, store.Result{Outcome: ffrtmp.AttemptCanceled})
	}
	t.meta.Canceled++
	t.change(j, ffrtmp.Canceled, store.HoldNone)
	t.exec(updateCancel, store.StatusCanceled, int64(store.HoldNone), t.now, t.now, int64(j.seq))
	t.jobEvent(ffrtmp.JobCanceled, j, 0, "")
}

// revive requeues a finished job as if it were new, except that its attempt numbers
// continue.
func (t *tx) revive(j *activeJob, key classKey) any {
	if refused := t.checkFiles(j); refused != nil {
		return refused
	}
	class, err := t.ready.class(t.mediaRoots.keyOf(key.requires, j.dirs))
	if err != nil {
		return ffrtmp.Errorf(ffrtmp.Internal, "job %s: %v", j.id, err)
	}
	j.status, j.retries, j.losses, j.notBefore = ffrtmp.Pending, 0, 0, 0
	t.add(j, class)
	t.columns.setStatus(j.seq, store.StatusPending)
	t.columns.setProgress(j.seq, 0)
	t.exec(updateRevived, store.StatusPending, int64(store.HoldNone), t.now, int64(j.seq))
	t.jobEvent(ffrtmp.JobRequeued, j, 0, "")
	return Done{Seq: j.seq, Count: 1, Status: j.status}
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
	selectQueue  = store.Prepared(`SELECT queue, priority FROM job_state WHERE seq = ?`)
	updateQueue  = store.Prepared(`UPDATE job_state SET queue = ?, priority = ?, max_retries = ? WHERE seq = ?`)
	updateLabels = store.Prepared(`UPDATE job_spec SET labels = ? WHERE seq = ?`)
)

func (c *patch) apply(t *tx) any {
	j, refused := t.find(c.seq)
	if refused != nil {
		return refused
	}
	if j.status != ffrtmp.Pending {
		return ffrtmp.Errorf(ffrtmp.Conflict, "cannot change job %s: it is %s, not pending", j.id, j.status)
	}
	place, ok := t.place(j.seq)
	if !ok {
		return ffrtmp.Errorf(ffrtmp.Internal, "read state of job %s: %v", j.id, t.err)
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
	t.move(j, place)
	if c.relabel {
		t.columns.setLabels(j.seq, c.labels)
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

// move gives a pending job a queue and a priority, by their codes, and stores its maxRetries.
func (t *tx) move(j *activeJob, place [2]int64) {
	t.ready.remove(j)
	j.rank = ffrtmp.Rank(store.QueueCodes[place[0]], store.PriorityCodes[place[1]])
	t.enqueue(j)
	t.exec(updateQueue, place[0], place[1], j.maxRetries, int64(j.seq))
	t.columns.setPlace(j.seq, place[0], place[1])
}

// place reads the codes of a job's queue and priority.
func (t *tx) place(seq uint64) (place [2]int64, ok bool) {
	row := make([]driver.Value, 2)
	if !t.row(row, selectQueue, int64(seq)) {
		return place, false
	}
	return [2]int64{row[0].(int64), row[1].(int64)}, true
}
