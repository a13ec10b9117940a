package fsm

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// result reports that an attempt has ended, or is publishing.
type result struct {
	v1
	seq          uint64
	node         string
	attempt      int64 // 0: a v2.2 node, for the attempt that it runs
	lease        lease
	status       ffrtmp.ResultStatus
	unseen       bool // the node cannot see the input
	store.Result      // its outcome follows from status and reason
	backoff      backoff
}

func (*result) kind() Kind { return KindResult }

func (c *result) encode(e *encoder) {
	e.uint(c.seq)
	e.string(c.node)
	e.int(c.attempt)
	e.fixed(c.lease[:])
	e.uint(uint64(store.Code(store.ResultCodes, c.status)))
	e.texts(c.Error, string(c.Reason), c.Log)
	e.uint(uint64(c.LogOffset))
	e.texts(c.Output, c.Metrics, c.AnalyzerOutput, c.Warnings, c.Media)
	e.bool(c.unseen)
	c.backoff.encode(e)
}

func decodeResult(d *decoder) command {
	c := &result{seq: d.uint(), node: d.name(), attempt: d.int()}
	d.fixed(c.lease[:])
	c.status = store.ResultCodes[d.code(len(store.ResultCodes))]
	c.Result = store.Result{
		Error: d.string(), Reason: ffrtmp.FailureReason(d.string()),
		Log: d.string(), LogOffset: int64(d.uint()), Output: d.string(), Metrics: d.string(),
		AnalyzerOutput: d.string(), Warnings: d.string(), Media: d.string(),
	}
	c.unseen = d.bool()
	c.backoff = decodeBackoff(d)
	return c
}

// Resulted is the response to a result: the state of its job.
type Resulted struct {
	Seq        uint64
	ID         string
	Attempt    int
	Status     ffrtmp.Status
	Retry      int // number of the retry that a failed attempt's job waits for, or 0
	MaxRetries int
	Repeated   bool // the same result was reported before, and nothing changed
	Elsewhere  bool // the job goes to another node, which may see the input; no retry is counted
}

var (
	updateSeal     = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, last_activity_at = ? WHERE seq = ?`)
	updateComplete = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, completed_at = ?, last_activity_at = ?,
	progress = 100, progress_detail = NULL WHERE seq = ?`)
)

func (c *result) apply(t *tx) any {
	j, refused := t.find(c.seq)
	if refused != nil {
		return refused
	}
	if !c.isCurrent(j) {
		return ffrtmp.Errorf(ffrtmp.StaleAttempt, "attempt of job %s is not held by node %s", j.id, c.node)
	}
	if j.hold == store.HoldNone {
		return c.repeated(t, j)
	}
	if j.hold == store.HoldLost {
		t.reclaim(j)
	}
	retry, elsewhere := 0, false
	switch c.status {
	case ffrtmp.ResultPublishing:
		if j.hold == store.HoldSealed {
			return c.answer(j, 0, true)
		}
		t.change(j, ffrtmp.Running, store.HoldSealed)
		t.exec(updateSeal, store.StatusRunning, int64(store.HoldSealed), t.now, int64(j.seq))
		t.jobEvent(ffrtmp.JobPublishing, j, 0, "")
	case ffrtmp.ResultCompleted:
		c.Outcome = ffrtmp.AttemptCompleted
		t.end(j, c.Result)
		t.meta.Completed++
		t.change(j, ffrtmp.Completed, store.HoldNone)
		t.columns.setProgress(j.seq, 100)
		t.exec(updateComplete, store.StatusCompleted, int64(store.HoldNone), t.now, t.now, int64(j.seq))
		t.jobEvent(ffrtmp.JobCompleted, j, 0, "")
	case ffrtmp.ResultFailed:
		c.Outcome = ffrtmp.AttemptFailed
		if c.Reason == ffrtmp.Timeout {
			c.Outcome = ffrtmp.AttemptTimedOut
		}
		retry, elsewhere = t.fail(j, c.Result, c.backoff, c.unseen)
	case ffrtmp.ResultCanceled:
		t.release(j, c.Result)
	}
	t.judge(j.node, c.status, c.Reason)
	done := c.answer(j, retry, false)
	done.Elsewhere = elsewhere
	return done
}

// release gives up an attempt that has not failed, for example because its machine
// shut down. It counts as a loss.
func (t *tx) release(j *activeJob, e store.Result) {
	e.Outcome = ffrtmp.AttemptLost
	t.requeue(j, e, false)
}

// isCurrent reports whether the result is of the job's newest attempt, from its node and
// with its lease. A v2.2 node may omit attempt and lease, but what it sends must match.
func (c *result) isCurrent(j *activeJob) bool {
	if j.node == nil || j.node.ID != c.node {
		return false
	}
	unnamed := j.node.Legacy
	return (c.attempt == j.attempt || unnamed && c.attempt == 0) && (c.lease == j.lease || unnamed &&
		c.lease == lease{})
}

func (r Resulted) keep() kept { return kept{r.Seq, int64(r.Retry)} }

func (c *result) replay(t *tx, k kept) any {
	j, refused := t.find(k.seq)
	if refused != nil {
		return refused
	}
	return Resulted{
		Seq: k.seq, ID: j.id.String(), Attempt: int(c.attempt), Status: j.status,
		Retry: int(k.count), MaxRetries: int(j.maxRetries), Repeated: true,
	}
}

// repeated handles a result of an attempt that has ended: a repeat of the same result
// is accepted, any other is stale.
func (c *result) repeated(t *tx, j *activeJob) any {
	outcome := t.outcome(j)
	same := false
	retry := 0
	switch c.status {
	case ffrtmp.ResultPublishing, ffrtmp.ResultCompleted:
		same = outcome == ffrtmp.AttemptCompleted
	case ffrtmp.ResultFailed:
		same = outcome == ffrtmp.AttemptFailed || outcome == ffrtmp.AttemptTimedOut
		if same && j.status == ffrtmp.Pending {
			retry = int(j.retries)
		}
	case ffrtmp.ResultCanceled:
		same = outcome == ffrtmp.AttemptCanceled || outcome == ffrtmp.AttemptLost
		if same && c.Log != "" {
			// A cancel ends the attempt at once; its log arrives later.
			t.exec(insertLateLog, int64(j.seq), j.attempt, c.Log, c.LogOffset)
		}
	}
	if !same {
		return ffrtmp.Errorf(ffrtmp.StaleAttempt, "attempt %d of job %s has ended: %s", j.attempt, j.id, outcome)
	}
	return c.answer(j, retry, true)
}

func (c *result) answer(j *activeJob, retry int, repeated bool) Resulted {
	return Resulted{
		Seq: j.seq, ID: j.id.String(), Attempt: int(j.attempt), Status: j.status,
		Retry: retry, MaxRetries: int(j.maxRetries), Repeated: repeated,
	}
}

// find returns a job, finished or not. A finished one is read from the database and has
// no class.
func (t *tx) find(seq uint64) (*activeJob, *ffrtmp.Error) {
	if j, ok := t.jobs[seq]; ok {
		return j, nil
	}
	j, _, err := t.findFinished(seq)
	return j, err
}

func (t *tx) findFinished(seq uint64) (*activeJob, classKey, *ffrtmp.Error) {
	row := make([]driver.Value, activeColumns)
	if seq >= t.meta.NextSeq || !t.row(row, selectActiveOne, int64(seq)) {
		return nil, classKey{}, ffrtmp.Errorf(ffrtmp.NotFound, "no job %d", seq)
	}
	j, key, err := t.scanActive(row)
	if err != nil {
		t.err = err
		return nil, key, ffrtmp.Errorf(ffrtmp.Internal, "%v", err)
	}
	return j, key, nil
}

// String returns the lease in hex, as agents send it.
func (l lease) String() string { return hex.EncodeToString(l[:]) }

// LeaseOf derives the lease of a v2.2 node's request from the request: v2.2 does not use
// the lease, so it can identify a repeated request.
func LeaseOf(nodeID, requestID string) string {
	sum := sha256.Sum256([]byte(nodeID + "\x00" + requestID))
	return lease(sum[:len(lease{})]).String()
}

// parseLease returns the zero lease for "", and a lease that matches no attempt for
// invalid input.
func parseLease(s string) lease {
	var l lease
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(l) {
		copy(l[:], b)
	}
	if s != "" && l == (lease{}) {
		l[0] = 1 // a random lease does not have 15 zero bytes
	}
	return l
}
