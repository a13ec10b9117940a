package v22

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// SequenceLabel is the label for a job's number in v2.2. Every imported job has it.
const SequenceLabel = "v22-sequence"

// noSequence is its value for a job of an early v2.2, which had no numbers.
const noSequence = "none"

// Limits of what an imported job may have. Values beyond them become the nearest one that is allowed.
const (
	maxSequence   = 1 << 40
	maxRetries    = 100
	maxRetryCount = 1 << 20
)

func within(n, low, high int) int { return min(max(n, low), high) }

// Job is a row of the table jobs. Its field Job is the translation, valid without Err.
type Job struct {
	ID       string
	Sequence uint64
	Status   string // as v2.2 names it
	Job      ffrtmp.ImportedJob
	Err      error
}

// statuses translates v2.2's statuses. Unfinished jobs run again.
var statuses = map[string]ffrtmp.Status{
	"pending": ffrtmp.Pending, "queued": ffrtmp.Pending, "assigned": ffrtmp.Pending,
	"running": ffrtmp.Pending, "processing": ffrtmp.Pending, "retrying": ffrtmp.Pending,
	"paused":    ffrtmp.Paused,
	"completed": ffrtmp.Completed,
	"failed":    ffrtmp.Failed, "timed_out": ffrtmp.Failed, "rejected": ffrtmp.Failed,
	"canceled": ffrtmp.Canceled,
}

// numberColumn has a job's number.
const numberColumn = "sequence_number"

var jobColumns = []string{
	"id", numberColumn, "scenario", "confidence", "engine", "parameters", "status", "queue", "priority",
	"progress", "node_id", "created_at", "started_at", "last_activity_at", "completed_at", "retry_count",
	"max_retries", "retry_reason", "error", "failure_reason", "logs", "state_transitions",
}

// Jobs returns the jobs ordered by number, up to the first error.
func (d *Database) Jobs(ctx context.Context) iter.Seq2[Job, error] {
	return translated(d.records(ctx, "jobs", numberColumn, jobColumns), func(r record) Job {
		j, err := r.job()
		return Job{ID: r["id"], Status: r["status"], Sequence: j.SequenceNumber, Job: j, Err: err}
	})
}

// past is the history of a job.
type past struct{ created, started, active, completed time.Time }

func (r record) job() (ffrtmp.ImportedJob, error) {
	status, known := statuses[r["status"]]
	j := ffrtmp.ImportedJob{
		ID: r["id"], Status: status, Logs: ffrtmp.LogTail(r["logs"]), Error: ffrtmp.ShortError(r["error"]),
		FailureReason: ffrtmp.FailureReason(r["failure_reason"]), RetryReason: ffrtmp.ShortError(r["retry_reason"]),
		Spec: ffrtmp.Spec{
			Scenario: r["scenario"], Confidence: r["confidence"], Engine: r["engine"],
			Parameters: json.RawMessage(r["parameters"]),
			Queue:      ffrtmp.Queue(r["queue"]), Priority: ffrtmp.Priority(r["priority"]),
		},
	}
	var faults []error
	if !known {
		faults = append(faults, ffrtmp.FieldErrorf("status", "unknown value %q", r["status"]))
	}
	if len(j.Parameters) > 0 && !json.Valid(j.Parameters) {
		faults = append(faults, ffrtmp.FieldErrorf("parameters", "invalid JSON"))
	}
	number := func(column string) int {
		n, err := r.int(column)
		faults = append(faults, err)
		return int(n)
	}
	at := func(column string) time.Time {
		t, err := r.time(column)
		faults = append(faults, err)
		return t
	}
	if n := number("sequence_number"); n > 0 && n <= maxSequence {
		j.SequenceNumber = uint64(n)
	}
	j.Labels = map[string]string{SequenceLabel: cmp.Or(r["sequence_number"], noSequence)}
	if r["max_retries"] != "" {
		n := within(number("max_retries"), 0, maxRetries)
		j.MaxRetries = &n
	}
	j.RetryCount = within(number("retry_count"), 0, maxRetryCount)
	p := past{at("created_at"), at("started_at"), at("last_activity_at"), at("completed_at")}
	j.CreatedAt, j.LastActivityAt = firstOf(p.created, p.started, p.active, p.completed), p.active
	if status.Terminal() {
		j.Progress = within(number("progress"), 0, 100)
		j.CompletedAt = firstOf(p.completed, p.active, p.started, p.created)
	}
	r.explain(&j)
	r.normalize(&j)
	runs, err := r.runs()
	faults = append(faults, err)
	j.LastAttempt = r.attempt(&j, p)
	addRuns(&j, runs)
	return j, errors.Join(faults...)
}

// normalize gives a finished job, which does not run again, a queue and a priority of this version.
func (r record) normalize(j *ffrtmp.ImportedJob) {
	if !j.Status.Terminal() {
		return
	}
	if !slices.Contains(ffrtmp.Queues, j.Queue) {
		j.Queue = ffrtmp.Default
	}
	if !slices.Contains(ffrtmp.Priorities, j.Priority) {
		j.Priority = ffrtmp.Medium
	}
}

// explain sets the reason that is part of v2.2's status but not of ours.
func (r record) explain(j *ffrtmp.ImportedJob) {
	reason, message := ffrtmp.FailureReason(""), ""
	switch r["status"] {
	case "completed":
		j.Progress = 100
	case "timed_out":
		reason, message = ffrtmp.Timeout, "timed out"
	case "rejected":
		reason, message = ffrtmp.CapabilityMismatch, "rejected: no node could run it"
	}
	if j.FailureReason == "" {
		j.FailureReason = reason
	}
	if j.Error == "" {
		j.Error = message
	}
}

// attempt returns the last run, or nil. Its number follows from the retries.
func (r record) attempt(j *ffrtmp.ImportedJob, p past) *ffrtmp.Attempt {
	started := r["started_at"] != "" || r["node_id"] != "" || j.Logs != ""
	a := &ffrtmp.Attempt{
		Attempt: j.RetryCount + 1, NodeID: r["node_id"],
		StartedAt: firstOf(p.started, p.created), EndedAt: firstOf(p.completed, p.active, p.started, p.created),
	}
	switch {
	case slices.Contains([]string{"pending", "queued", "retrying"}, r["status"]):
		if j.RetryCount == 0 && j.Logs == "" {
			return nil
		}
		a.Attempt, a.Outcome = max(j.RetryCount, 1), ffrtmp.AttemptFailed
	case !started:
		return nil
	case !j.Status.Terminal():
		a.Outcome = ffrtmp.AttemptLost // v2.2's master has ended
		return a
	case r["status"] == "timed_out":
		a.Outcome = ffrtmp.AttemptTimedOut
	case j.Status == ffrtmp.Failed:
		a.Outcome = ffrtmp.AttemptFailed
	case j.Status == ffrtmp.Canceled:
		a.Outcome = ffrtmp.AttemptCanceled
		return a
	default:
		a.Outcome = ffrtmp.AttemptCompleted
		return a
	}
	a.Error, a.FailureReason = j.Error, j.FailureReason
	return a
}
