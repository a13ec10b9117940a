package fsm

import (
	"database/sql/driver"
	"maps"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

var (
	insertAttempt = store.Prepared(`INSERT INTO job_attempt (seq, attempt, node, outcome, started_at, ended_at, error,
	failure_reason, output, metrics, analyzer_output, warnings)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	insertLog     = store.Prepared(`INSERT INTO job_log (seq, attempt, log, log_offset) VALUES (?, ?, ?, ?)`)
	insertLateLog = store.Prepared(`INSERT INTO job_log (seq, attempt, log, log_offset) VALUES (?, ?, ?, ?)
	ON CONFLICT DO NOTHING`)
	insertMedia   = store.Prepared(`INSERT INTO job_media (seq, attempt, media) VALUES (?, ?, ?)`)
	deleteAttempt = store.Prepared(`DELETE FROM job_attempt WHERE seq = ? AND attempt = ?`)
	updateFailed  = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, losses = ?, completed_at = ?,
	last_activity_at = ?, error = ?, failure_reason = ? WHERE seq = ?`)
	updateRetry = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, retry_count = ?, not_before = ?,
	last_activity_at = ?, avoid = ?, retry_reason = ?, progress = 0, progress_detail = NULL WHERE seq = ?`)
	updateLost = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, losses = ?, last_activity_at = ?,
	progress = 0, progress_detail = NULL WHERE seq = ?`)
	updateReclaimed = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, losses = ?, last_activity_at = ?
	WHERE seq = ?`)
	selectReport = store.Prepared(`SELECT node, error FROM job_attempt WHERE seq = ? AND attempt = ?
	AND failure_reason IN ('input_error', 'user_error')`)
	selectOutcome = store.Prepared(`SELECT outcome FROM job_attempt WHERE seq = ? AND attempt = ?`)
)

// end records that the job's running attempt has ended.
func (t *tx) end(j *activeJob, e store.Result) {
	if e.Outcome != ffrtmp.AttemptLost && e.Outcome != ffrtmp.AttemptCanceled {
		observe(t.metrics.ran, j.startedAt, t.now)
	}
	t.exec(insertAttempt, int64(j.seq), j.attempt, j.node.Key, store.Code(store.OutcomeCodes, e.Outcome), j.startedAt,
		t.now,
		store.Null(e.Error), store.Null(string(e.Reason)), store.Null(e.Output), store.Null(e.Metrics),
		store.Null(e.AnalyzerOutput), store.Null(e.Warnings))
	if e.Log != "" {
		t.exec(insertLog, int64(j.seq), j.attempt, e.Log, e.LogOffset)
	}
	if e.Media != "" {
		t.exec(insertMedia, int64(j.seq), j.attempt, e.Media)
	}
}

// outcome returns how the job's attempt ended, or "" when that is not recorded.
func (t *tx) outcome(j *activeJob) ffrtmp.Outcome {
	row := make([]driver.Value, 1)
	if !t.row(row, selectOutcome, int64(j.seq), j.attempt) {
		return ""
	}
	return store.OutcomeCodes[row[0].(int64)]
}

// fail ends the attempt as a failure and the job too, unless it has a retry left and the
// reason allows one, or another node may see the input that this one does not. It returns
// the number of the retry, and whether the job goes to another node without one.
func (t *tx) fail(j *activeJob, e store.Result, b backoff, unseen bool) (retry int, elsewhere bool) {
	t.end(j, e)
	if unseen || e.Reason.AvoidNode() {
		t.avoid(j, j.node)
	}
	switch {
	case !e.Reason.Final() && j.retries < j.maxRetries:
		j.retries++
		j.notBefore = t.now + b.delay(j.retries)
		t.meta.Retries++
		retry = int(j.retries)
	case unseen && t.elsewhere(j.class):
		j.notBefore, elsewhere = t.now, true
	default:
		if unseen {
			e.Error = t.reports(j, e.Error)
		}
		t.finishFailed(j, e)
		return 0, false
	}
	t.change(j, ffrtmp.Pending, store.HoldNone)
	t.columns.setProgress(j.seq, 0)
	t.exec(updateRetry, store.StatusPending, int64(store.HoldNone), j.retries, j.notBefore, t.now, j.class.key.avoid,
		store.Null(e.Error), int64(j.seq))
	t.jobEvent(ffrtmp.JobRetrying, j, j.retries, e.Reason)
	return retry, elsewhere
}

// reports returns what each node said of an input that none of them sees, or the last
// report if there is only one.
func (t *tx) reports(j *activeJob, last string) string {
	newest := map[int64]int64{} // attempt by node
	row := make([]driver.Value, 2)
	for attempt := int64(1); attempt <= j.attempt; attempt++ {
		if !t.row(row, selectReport, int64(j.seq), attempt) {
			continue
		}
		if node := row[0].(int64); slices.Contains(j.class.avoid, node) && t.nodes.byKey[node] != nil {
			newest[node] = attempt
		}
	}
	var list []string
	for _, attempt := range slices.Sorted(maps.Values(newest)) {
		t.row(row, selectReport, int64(j.seq), attempt)
		text, _ := row[1].(string)
		list = append(list, t.nodes.byKey[row[0].(int64)].Name+": "+text)
	}
	if len(list) < 2 {
		return last
	}
	return ffrtmp.ShortError("no node sees the input: " + strings.Join(list, "; "))
}

// finishFailed finishes the job as failed.
func (t *tx) finishFailed(j *activeJob, e store.Result) {
	t.meta.Failed++
	t.change(j, ffrtmp.Failed, store.HoldNone)
	t.exec(updateFailed, store.StatusFailed, int64(store.HoldNone), j.losses, t.now, t.now,
		store.Null(e.Error), store.Null(string(e.Reason)), int64(j.seq))
	t.jobEvent(ffrtmp.JobFailed, j, 0, e.Reason)
}

// avoid keeps the job's next attempts from the node while another can run them.
func (t *tx) avoid(j *activeJob, n *node) {
	if err := t.reclassify(j, j.class.avoiding(n.Key)); err != nil {
		t.err = err
	}
}

// expire ends an attempt that its node stopped renewing. If reclaimable, the node may
// reclaim it until the next claim.
func (t *tx) expire(j *activeJob, reclaimable bool) {
	t.meta.Losses++
	t.requeue(j, store.Result{Outcome: ffrtmp.AttemptLost}, reclaimable)
}

// requeue ends an attempt that was lost, not failed. The job is pending again, or stays
// paused, and no retry is counted. A job that crashes its nodes must not run again
// and again, so MaxLosses losses fail it.
func (t *tx) requeue(j *activeJob, e store.Result, reclaimable bool) {
	j.losses++
	t.end(j, e)
	t.jobEvent(ffrtmp.JobLost, j, 0, "")
	if j.losses >= ffrtmp.MaxLosses {
		e.Error, e.Reason = "the attempts' nodes were lost too often", ffrtmp.NodeLost
		t.finishFailed(j, e)
		return
	}
	status, h := ffrtmp.Pending, store.HoldNone
	if j.status == ffrtmp.Paused {
		status = ffrtmp.Paused
	}
	if reclaimable {
		h = store.HoldLost
	}
	t.change(j, status, h)
	t.columns.setProgress(j.seq, 0)
	t.exec(updateLost, store.Code(store.StatusCodes, status), int64(h), j.losses, t.now, int64(j.seq))
}

// reclaim undoes a loss: the attempt continues.
func (t *tx) reclaim(j *activeJob) {
	j.losses--
	status := ffrtmp.Running
	if j.status == ffrtmp.Paused {
		status = ffrtmp.Paused
	}
	t.change(j, status, store.HoldActive)
	t.exec(deleteAttempt, int64(j.seq), j.attempt)
	t.exec(updateReclaimed, store.Code(store.StatusCodes, status), int64(store.HoldActive), j.losses, t.now,
		int64(j.seq))
	t.jobEvent(ffrtmp.JobRecovered, j, 0, "")
}

// backoff is how long a retry waits: min(limit, base·2^(n-1)) times [1, 1.5), with
// the proposer's jitter.
type backoff struct {
	base, limit int64 // ns
	jitter      int64 // thousandths, 0 to 499
}

func (b backoff) delay(retry int64) int64 {
	d := b.base
	for i := int64(1); i < retry && d < b.limit; i++ {
		d *= 2
	}
	return min(d, b.limit) / 1000 * (1000 + b.jitter)
}

func (b backoff) encode(e *encoder) {
	e.ints(b.base, b.limit, b.jitter)
}

func decodeBackoff(d *decoder) backoff {
	return backoff{base: d.int(), limit: d.int(), jitter: d.int()}
}
