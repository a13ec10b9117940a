package fsm

import (
	"context"
	"database/sql"
	"errors"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

// query numbers a statement of the readers. Each stands beside the function that
// uses it and is prepared when a database is opened.
type query int

var queries []string

func readOnly(sql string) query {
	queries = append(queries, sql)
	return query(len(queries) - 1)
}

// read calls do with the state, which stays open meanwhile, and a context that
// bounds the read.
func (f *FSM) read(ctx context.Context, do func(context.Context, *state) error) error {
	f.mu.RLock()
	s := f.state
	if s == nil {
		f.mu.RUnlock()
		return ffrtmp.Errorf(ffrtmp.Internal, "this master's state is not there yet")
	}
	s.inUse.RLock()
	defer s.inUse.RUnlock()
	f.mu.RUnlock()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return do(ctx, s)
}

// each calls scan for every row of an answer.
func (s *state) each(ctx context.Context, q query, scan func(*sql.Rows) error, args ...any) error {
	rows, err := s.queries[q].QueryContext(ctx, args...)
	return eachRow(rows, err, scan)
}

func eachRow(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

var (
	querySeqByID = readOnly(`SELECT seq FROM job_spec WHERE id = ?`)
	querySeq     = readOnly(`SELECT seq FROM job_spec WHERE seq = ?`)
)

// Resolve returns the sequence number of a job that is named by that number or
// by its id, or a NotFound error.
func (f *FSM) Resolve(ctx context.Context, ref string) (seq uint64, err error) {
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		seq, err = s.resolve(ctx, ref)
		return err
	})
	return seq, err
}

func (s *state) resolve(ctx context.Context, ref string) (uint64, error) {
	var row *sql.Row
	if n, err := strconv.ParseInt(ref, 10, 64); err == nil {
		row = s.queries[querySeq].QueryRowContext(ctx, n)
	} else {
		row = s.queries[querySeqByID].QueryRowContext(ctx, ref)
	}
	var seq uint64
	switch err := row.Scan(&seq); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, ffrtmp.Errorf(ffrtmp.NotFound, "there is no job %s", ref)
	case err != nil:
		return 0, err
	}
	return seq, nil
}

const selectJob = `SELECT s.seq, s.id, s.scenario, s.confidence, s.engine, s.classification, s.parameters, s.requires, s.labels, s.created_at, s.request_id, s.traceparent,
	t.status, t.queue, t.priority, t.max_retries, t.retry_count, t.attempt, t.hold, t.started_at, max(t.timeout_at, 0), t.last_activity_at,
	t.completed_at, t.not_before, t.progress, t.progress_detail, t.retry_reason, t.error, t.failure_reason, n.id, n.name, a.output
FROM job_state t CROSS JOIN job_spec s ON s.seq = t.seq
LEFT JOIN node n ON n.key = t.node
LEFT JOIN job_attempt a ON a.seq = t.seq AND a.attempt = t.attempt AND t.status = 3 `

// scanJob reads a row of selectJob.
func scanJob(rows *sql.Rows) (ffrtmp.Job, error) {
	var j ffrtmp.Job
	var parameters, requires, labels, detail, retryReason, fault, reason, nodeID, nodeName, output, requestID, traceparent sql.NullString
	var status, queue, priority int
	var created, started, timeout, activity, completed, notBefore int64
	var h hold
	err := rows.Scan(&j.SequenceNumber, &j.ID, &j.Scenario, &j.Confidence, &j.Engine, &j.Classification, &parameters, &requires, &labels, &created, &requestID, &traceparent,
		&status, &queue, &priority, &j.MaxRetries, &j.RetryCount, &j.Attempt, &h, &started, &timeout, &activity,
		&completed, &notBefore, &j.Progress, &detail, &retryReason, &fault, &reason, &nodeID, &nodeName, &output)
	if err != nil {
		return j, err
	}
	j.Status, j.Queue, j.Priority = statusCodes[status], queueCodes[queue], priorityCodes[priority]
	j.CreatedAt, j.StartedAt, j.TimeoutAt = timeOf(created), timeOf(started), timeOf(timeout)
	j.LastActivityAt, j.CompletedAt, j.NotBefore = timeOf(activity), timeOf(completed), timeOf(notBefore)
	j.RetryReason, j.Error, j.FailureReason = retryReason.String, fault.String, ffrtmp.FailureReason(reason.String)
	j.NodeID, j.NodeName = nodeID.String, nodeName.String
	j.Origin = ffrtmp.Origin{RequestID: requestID.String, Traceparent: traceparent.String}
	if parameters.Valid {
		j.Parameters = []byte(parameters.String)
	}
	err = errors.Join(unmarshal(labels.String, &j.Labels), unmarshal(requires.String, &j.Requires),
		unmarshal(detail.String, &j.ProgressDetail), unmarshal(output.String, &j.Output))
	if h == holdSealed {
		if j.ProgressDetail == nil {
			j.ProgressDetail = &ffrtmp.Progress{}
		}
		j.ProgressDetail.Phase = ffrtmp.PublishingPhase
	}
	return j, err
}

var (
	queryJob = readOnly(selectJob + `WHERE t.seq = ?`)
	queryLog = readOnly(`SELECT log FROM job_log WHERE seq = ? AND attempt = ?`)
)

// Job returns a job by number or id, with its attempts and the log of the newest,
// or a NotFound error.
func (f *FSM) Job(ctx context.Context, ref string) (j ffrtmp.Job, err error) {
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		seq, err := s.resolve(ctx, ref)
		if err != nil {
			return err
		}
		if j, err = s.job(ctx, seq); err != nil {
			return err
		}
		if j.Attempts, err = s.attempts(ctx, seq); err != nil {
			return err
		}
		j.Logs, err = s.log(ctx, seq, j.Attempt)
		return err
	})
	return j, err
}

func (s *state) job(ctx context.Context, seq uint64) (j ffrtmp.Job, err error) {
	err = s.each(ctx, queryJob, func(rows *sql.Rows) error {
		j, err = scanJob(rows)
		return err
	}, int64(seq))
	if err == nil && j.ID == "" {
		err = ffrtmp.Errorf(ffrtmp.NotFound, "there is no job %d", seq)
	}
	return j, err
}

func (s *state) log(ctx context.Context, seq uint64, attempt int) (string, error) {
	var log string
	err := s.queries[queryLog].QueryRowContext(ctx, int64(seq), attempt).Scan(&log)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return log, err
}

// Summary returns a job by number as lists show it: without attempts and logs.
func (f *FSM) Summary(ctx context.Context, seq uint64) (j ffrtmp.Job, err error) {
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		j, err = s.job(ctx, seq)
		return err
	})
	return j, err
}

// Claims returns the jobs of claimed attempts as their node is to see them: whole,
// with their leases.
func (f *FSM) Claims(ctx context.Context, claimed []Claimed) ([]ffrtmp.Job, error) {
	jobs := make([]ffrtmp.Job, 0, len(claimed))
	err := f.read(ctx, func(ctx context.Context, s *state) error {
		for _, c := range claimed {
			j, err := s.job(ctx, c.Seq)
			if err != nil {
				return err
			}
			if j.Attempt == c.Attempt { // else it is gone already
				j.Lease = c.Lease
				jobs = append(jobs, j)
			}
		}
		return nil
	})
	return jobs, err
}

var queryAttempts = readOnly(`SELECT a.attempt, n.id, a.outcome, a.started_at, a.ended_at, a.error, a.failure_reason FROM (
	SELECT seq, attempt, node, outcome, started_at, ended_at, error, failure_reason FROM job_attempt WHERE seq = ?
	UNION ALL SELECT seq, attempt, node, 0, started_at, 0, NULL, NULL FROM job_state WHERE seq = ? AND hold IN (1, 2)
) a LEFT JOIN node n ON n.key = a.node ORDER BY a.attempt`)

// Attempts returns a job's attempts in order.
func (f *FSM) Attempts(ctx context.Context, seq uint64) (list []ffrtmp.Attempt, err error) {
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		list, err = s.attempts(ctx, seq)
		return err
	})
	return list, err
}

func (s *state) attempts(ctx context.Context, seq uint64) ([]ffrtmp.Attempt, error) {
	var list []ffrtmp.Attempt
	err := s.each(ctx, queryAttempts, func(rows *sql.Rows) error {
		var a ffrtmp.Attempt
		var outcome int
		var started, ended int64
		var node, fault, reason sql.NullString
		if err := rows.Scan(&a.Attempt, &node, &outcome, &started, &ended, &fault, &reason); err != nil {
			return err
		}
		a.NodeID, a.Outcome = node.String, outcomeCodes[outcome]
		a.StartedAt, a.EndedAt = timeOf(started), timeOf(ended)
		a.Error, a.FailureReason = fault.String, ffrtmp.FailureReason(reason.String)
		list = append(list, a)
		return nil
	}, int64(seq), int64(seq))
	return list, err
}

// AttemptLog returns the log that was handed in with an attempt's result, "" when
// there was none.
func (f *FSM) AttemptLog(ctx context.Context, seq uint64, attempt int) (log string, err error) {
	err = f.read(ctx, func(ctx context.Context, s *state) error {
		log, err = s.log(ctx, seq, attempt)
		return err
	})
	return log, err
}
