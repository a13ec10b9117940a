package fsm

import (
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// result is what a node says of an attempt's end, or of its publishing.
type result struct {
	v1
	seq          uint64
	node         string
	attempt      int64 // 0: a v2.2 node, which means the attempt that it holds
	lease        lease
	status       ffrtmp.ResultStatus
	store.Result // its outcome follows from status and reason
	backoff      backoff
}

func (*result) kind() Kind { return KindResult }

func (c *result) encode(e *encoder) {
	e.uint(c.seq)
	e.string(c.node)
	e.int(c.attempt)
	e.fixed(c.lease[:])
	e.uint(uint64(store.Code(store.ResultCodes, c.status)))
	e.string(c.Error)
	e.string(string(c.Reason))
	e.string(c.Log)
	e.uint(uint64(c.LogOffset))
	e.string(c.Output)
	e.string(c.Metrics)
	e.string(c.AnalyzerOutput)
	c.backoff.encode(e)
}

func decodeResult(d *decoder) command {
	c := &result{seq: d.uint(), node: d.name(), attempt: d.int()}
	d.fixed(c.lease[:])
	c.status = store.ResultCodes[d.code(len(store.ResultCodes))]
	c.Result = store.Result{
		Error: d.string(), Reason: ffrtmp.FailureReason(d.string()),
		Log: d.string(), LogOffset: int64(d.uint()), Output: d.string(), Metrics: d.string(),
		AnalyzerOutput: d.string(),
	}
	c.backoff = decodeBackoff(d)
	return c
}

// Resulted is the result of a result: how the job stands now.
type Resulted struct {
	Seq        uint64
	ID         string
	Attempt    int
	Status     ffrtmp.Status
	Retry      int // number of the retry that a failed attempt's job waits for, or 0
	MaxRetries int
	Repeated   bool // the same was said before, and nothing changed
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
		return ffrtmp.Errorf(ffrtmp.StaleAttempt, "node %s does not hold this attempt of job %s", c.node, j.id)
	}
	if j.hold == store.HoldNone {
		return c.repeated(t, j)
	}
	if j.hold == store.HoldLost {
		t.reclaim(j)
	}
	retry := 0
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
		t.exec(updateComplete, store.StatusCompleted, int64(store.HoldNone), t.now, t.now, int64(j.seq))
		t.jobEvent(ffrtmp.JobCompleted, j, 0, "")
	case ffrtmp.ResultFailed:
		c.Outcome = ffrtmp.AttemptFailed
		if c.Reason == ffrtmp.Timeout {
			c.Outcome = ffrtmp.AttemptTimedOut
		}
		if t.fail(j, c.Result, c.backoff) {
			retry = int(j.retries)
		}
	case ffrtmp.ResultCanceled:
		t.release(j, c.Result)
	}
	return c.answer(j, retry, false)
}

// release is an attempt that its own node has given up without its failing: the
// machine went down under it, say. That is a loss that nobody had to wait for.
func (t *tx) release(j *activeJob, e store.Result) {
	e.Outcome = ffrtmp.AttemptLost
	t.requeue(j, e, false)
}

// isCurrent reports whether the result is of the job's newest attempt, from the
// node that was given it, with its lease. A v2.2 node need name neither attempt nor
// lease; what it names must be right.
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

// repeated answers a result of an attempt that is over: the same as before is fine,
// anything else comes too late.
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
			// A cancel ends the attempt at once; what ffmpeg said comes afterwards.
			t.exec(insertLateLog, int64(j.seq), j.attempt, c.Log, c.LogOffset)
		}
	}
	if !same {
		return ffrtmp.Errorf(ffrtmp.StaleAttempt, "attempt %d of job %s is over: %s", j.attempt, j.id, outcome)
	}
	return c.answer(j, retry, true)
}

func (c *result) answer(j *activeJob, retry int, repeated bool) Resulted {
	return Resulted{
		Seq: j.seq, ID: j.id.String(), Attempt: int(j.attempt), Status: j.status,
		Retry: retry, MaxRetries: int(j.maxRetries), Repeated: repeated,
	}
}

// find returns a job, over or not. One that is over is not in memory: it is read
// from the database, and its class is not known.
func (t *tx) find(seq uint64) (*activeJob, *ffrtmp.Error) {
	if j, ok := t.jobs[seq]; ok {
		return j, nil
	}
	j, _, err := t.findOver(seq)
	return j, err
}

func (t *tx) findOver(seq uint64) (*activeJob, classKey, *ffrtmp.Error) {
	row := make([]driver.Value, activeColumns)
	if seq >= t.meta.NextSeq || !t.row(row, selectActiveOne, int64(seq)) {
		return nil, classKey{}, ffrtmp.Errorf(ffrtmp.NotFound, "there is no job %d", seq)
	}
	j, key, err := t.scanActive(row)
	if err != nil {
		t.err = err
		return nil, key, ffrtmp.Errorf(ffrtmp.Internal, "%v", err)
	}
	return j, key, nil
}

// String is the lease as agents know it.
func (l lease) String() string { return hex.EncodeToString(l[:]) }

// LeaseOf returns the lease that stands for a request of a node of v2.2: it needs no
// token, and so its lease can tell whether the request was carried out before.
func LeaseOf(nodeID, requestID string) string {
	sum := sha256.Sum256([]byte(nodeID + "\x00" + requestID))
	return lease(sum[:len(lease{})]).String()
}

// parseLease returns the zero lease where none is named, and for what is not one a
// lease that fits nothing.
func parseLease(s string) lease {
	var l lease
	if b, err := hex.DecodeString(s); err == nil && len(b) == len(l) {
		copy(l[:], b)
	}
	if s != "" && l == (lease{}) {
		l[0] = 1 // the other 15 bytes of one that was drawn are not all zero
	}
	return l
}
