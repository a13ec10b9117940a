package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// AttemptID names an attempt.
type AttemptID struct {
	Seq     uint64
	Attempt int
}

// Attempt is a running attempt, or a lost one that its node may still reclaim.
type Attempt struct {
	AttemptID
	JobID     string
	NodeID    string
	Lease     string // hex
	Status    ffrtmp.Status
	Sealed    bool      // it cannot be lost
	Lost      bool      // its node may reclaim it until the next claim
	TimeoutAt time.Time // zero without a limit
}

// Result is how an attempt ended.
type Result struct {
	Outcome                         ffrtmp.Outcome
	Error                           string
	Reason                          ffrtmp.FailureReason
	Log                             string // "" for none
	LogOffset                       int64  // bytes of the attempt's log before Log
	Output, Metrics, AnalyzerOutput string // JSON, or "" for none
	Warnings, Media                 string // the same
}

var selectClaimed = Prepared(selectJob + `WHERE t.seq = ?`)

// Claims returns the jobs of claimed attempts for their node: in full, with their
// leases. It reads with the writer's connection, so the caller must be the only one to
// use that.
func (db *DB) Claims(claimed []Attempt) ([]ffrtmp.Job, error) {
	jobs := make([]ffrtmp.Job, 0, len(claimed))
	row := make([]driver.Value, jobColumns)
	for _, c := range claimed {
		found, err := db.Row(row, selectClaimed, int64(c.Seq))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, ffrtmp.Errorf(ffrtmp.NotFound, "no job %d", c.Seq)
		}
		j, err := scanJob(scanner(row))
		if err != nil {
			return nil, err
		}
		if j.Attempt == c.Attempt { // else it has been replaced
			j.Lease = c.Lease
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

var queryLog = readOnly(`SELECT log, log_offset FROM job_log WHERE seq = ? AND attempt = ?`)

var queryAttempts = readOnly(`SELECT a.attempt, n.id, a.outcome, a.started_at, a.ended_at, a.error,
	a.failure_reason, a.metrics FROM (
	SELECT seq, attempt, node, outcome, started_at, ended_at, error, failure_reason, metrics FROM job_attempt
	WHERE seq = ?
	UNION ALL SELECT seq, attempt, node, ?, started_at, 0, NULL, NULL, NULL FROM job_state
	WHERE seq = ? AND hold IN (?, ?)
) a LEFT JOIN node n ON n.key = a.node ORDER BY a.attempt`)

// Attempts returns a job's attempts in order.
func (r Reader) Attempts(ctx context.Context, seq uint64) (list []ffrtmp.Attempt, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		list, err = db.attempts(ctx, seq)
		return err
	})
	return list, err
}

func (db *DB) attempts(ctx context.Context, seq uint64) ([]ffrtmp.Attempt, error) {
	var list []ffrtmp.Attempt
	err := db.each(ctx, queryAttempts, func(rows *sql.Rows) error {
		var a ffrtmp.Attempt
		var outcome int
		var started, ended int64
		var node, fault, reason, metrics sql.NullString
		if err := rows.Scan(&a.Attempt, &node, &outcome, &started, &ended, &fault, &reason, &metrics); err != nil {
			return err
		}
		a.NodeID, a.Outcome = node.String, OutcomeCodes[outcome]
		a.StartedAt, a.EndedAt = TimeOf(started), TimeOf(ended)
		a.Error, a.FailureReason = fault.String, ffrtmp.FailureReason(reason.String)
		if metrics.String != "" {
			a.Metrics = json.RawMessage(metrics.String)
		}
		list = append(list, a)
		return nil
	}, int64(seq), Code(OutcomeCodes, ffrtmp.AttemptRunning), int64(seq), int64(HoldActive), int64(HoldSealed))
	return list, err
}

// AttemptLog returns the log of an attempt's result, and how many bytes of the attempt's log before it were
// dropped. Without a log both are zero.
func (r Reader) AttemptLog(ctx context.Context, seq uint64, attempt int) (log string, offset int64, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		log, offset, err = db.log(ctx, seq, attempt)
		return err
	})
	return log, offset, err
}

func (db *DB) log(ctx context.Context, seq uint64, attempt int) (log string, offset int64, err error) {
	err = db.queries[queryLog].QueryRowContext(ctx, int64(seq), attempt).Scan(&log, &offset)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return log, offset, err
}

var queryMedia = readOnly(`SELECT media FROM job_media WHERE seq = ? AND attempt = ?`)

// Media returns what is kept of an attempt's input, output and speed, an empty one if nothing is.
func (r Reader) Media(ctx context.Context, seq uint64, attempt int) (m ffrtmp.Media, err error) {
	err = r.read(ctx, func(ctx context.Context, db *DB) error {
		var text string
		err := db.queries[queryMedia].QueryRowContext(ctx, int64(seq), attempt).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return errors.Join(err, Unmarshal(text, &m))
	})
	return m, err
}
