package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

var (
	querySeqByID = readOnly(`SELECT seq FROM job_spec WHERE id = ?`)
	querySeq     = readOnly(`SELECT seq FROM job_spec WHERE seq = ?`)
)

// Resolve returns the sequence number of a job by number or id, or a NotFound error.
func (r Reader) Resolve(ctx context.Context, ref string) (seq uint64, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		seq, err = db.resolve(ctx, ref)
		return err
	})
	return seq, err
}

func (db *DB) resolve(ctx context.Context, ref string) (uint64, error) {
	var row *sql.Row
	if n, err := strconv.ParseInt(ref, 10, 64); err == nil {
		row = db.queries[querySeq].QueryRowContext(ctx, n)
	} else {
		row = db.queries[querySeqByID].QueryRowContext(ctx, ref)
	}
	var seq uint64
	switch err := row.Scan(&seq); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ffrtmp.Errorf(ffrtmp.NotFound, "no job %s", ref)
	case err != nil:
		return 0, err
	}
	return seq, nil
}

var selectJob = fmt.Sprintf(`SELECT s.seq, s.id, s.scenario, s.confidence, s.engine, s.classification, s.parameters,
	s.requires, s.labels, s.created_at, s.request_id, s.traceparent,
	t.status, t.queue, t.priority, t.max_retries, t.retry_count, t.attempt, t.hold, t.started_at, max(t.timeout_at, 0),
	t.last_activity_at,
	t.completed_at, t.not_before, t.progress, t.progress_detail, t.retry_reason, t.error, t.failure_reason, n.id,
	n.name,
	a.output, a.warnings
FROM job_state t CROSS JOIN job_spec s ON s.seq = t.seq
LEFT JOIN node n ON n.key = t.node
LEFT JOIN job_attempt a ON a.seq = t.seq AND a.attempt = t.attempt AND t.status = %d `, StatusCompleted)

// jobColumns is the number of columns of selectJob.
const jobColumns = 33

// scanJob reads a row of selectJob with the row's own scan.
func scanJob(scan func(into ...any) error) (ffrtmp.Job, error) {
	var j ffrtmp.Job
	var parameters, requires, labels, detail, retryReason, fault, reason, nodeID, nodeName, output, warnings, requestID,
		traceparent sql.NullString
	var status, queue, priority int
	var created, started, timeout, activity, completed, notBefore int64
	var h Hold
	err := scan(&j.SequenceNumber, &j.ID, &j.Scenario, &j.Confidence, &j.Engine, &j.Classification, &parameters,
		&requires, &labels, &created, &requestID, &traceparent,
		&status, &queue, &priority, &j.MaxRetries, &j.RetryCount, &j.Attempt, &h, &started, &timeout, &activity,
		&completed, &notBefore, &j.Progress, &detail, &retryReason, &fault, &reason, &nodeID, &nodeName, &output,
		&warnings)
	if err != nil {
		return j, err
	}
	j.Status, j.Queue, j.Priority = StatusCodes[status], QueueCodes[queue], PriorityCodes[priority]
	j.CreatedAt, j.StartedAt, j.TimeoutAt = TimeOf(created), TimeOf(started), TimeOf(timeout)
	j.LastActivityAt, j.CompletedAt, j.NotBefore = TimeOf(activity), TimeOf(completed), TimeOf(notBefore)
	j.RetryReason, j.Error, j.FailureReason = retryReason.String, fault.String, ffrtmp.FailureReason(reason.String)
	j.NodeID, j.NodeName = nodeID.String, nodeName.String
	j.Origin = ffrtmp.Origin{RequestID: requestID.String, Traceparent: traceparent.String}
	if parameters.Valid {
		j.Parameters = []byte(parameters.String)
	}
	err = errors.Join(Unmarshal(labels.String, &j.Labels), Unmarshal(requires.String, &j.Requires),
		Unmarshal(detail.String, &j.ProgressDetail), Unmarshal(output.String, &j.Output),
		Unmarshal(warnings.String, &j.Warnings))
	if h == HoldSealed {
		if j.ProgressDetail == nil {
			j.ProgressDetail = &ffrtmp.Progress{}
		}
		j.ProgressDetail.Phase = ffrtmp.PublishingPhase
	}
	return j, err
}

var queryJob = readOnly(selectJob + `WHERE t.seq = ?`)

// Job returns a job by number or id, with its attempts and the log of the newest,
// or a NotFound error.
func (r Reader) Job(ctx context.Context, ref string) (j ffrtmp.Job, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		seq, err := db.resolve(ctx, ref)
		if err != nil {
			return err
		}
		if j, err = db.job(ctx, seq); err != nil {
			return err
		}
		if j.Attempts, err = db.attempts(ctx, seq); err != nil {
			return err
		}
		j.Logs, _, err = db.log(ctx, seq, j.Attempt)
		return err
	})
	return j, err
}

func (db *DB) job(ctx context.Context, seq uint64) (j ffrtmp.Job, err error) {
	err = db.each(ctx, queryJob, func(rows *sql.Rows) error {
		j, err = scanJob(rows.Scan)
		return err
	}, int64(seq))
	if err == nil && j.ID == "" {
		err = ffrtmp.Errorf(ffrtmp.NotFound, "no job %d", seq)
	}
	return j, err
}

// Summary returns a job by number as lists show it: without attempts and logs.
func (r Reader) Summary(ctx context.Context, seq uint64) (j ffrtmp.Job, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		j, err = db.job(ctx, seq)
		return err
	})
	return j, err
}
