package ffrtmp

import (
	"slices"
	"time"
)

// Import is the body of POST /import: jobs and nodes of another system, with the
// state that they had there. Nodes are taken before jobs, which may name them.
type Import struct {
	Nodes []ImportedNode `json:"nodes,omitempty"`
	Jobs  []ImportedJob  `json:"jobs,omitempty"`
}

// Bounds of one import: of its jobs and nodes together, and of its body.
const (
	MaxImport      = 500
	MaxImportBytes = 4 << 20
)

// ImportedJob is a job that another system has had. Nothing of it runs while it is
// imported, so its status is never Running.
type ImportedJob struct {
	ID             string `json:"id"`
	SequenceNumber uint64 `json:"sequence_number,omitempty"` // kept, unless the cluster has passed it
	Spec
	Status         Status        `json:"status"`
	Progress       int           `json:"progress,omitempty"`
	CreatedAt      time.Time     `json:"created_at"`
	LastActivityAt time.Time     `json:"last_activity_at,omitzero"`
	CompletedAt    time.Time     `json:"completed_at,omitzero"` // of a job that is over
	RetryCount     int           `json:"retry_count"`
	RetryReason    string        `json:"retry_reason,omitempty"`
	Error          string        `json:"error,omitempty"`
	FailureReason  FailureReason `json:"failure_reason,omitempty"`
	Logs           string        `json:"logs,omitempty"` // of LastAttempt
	LastAttempt    *Attempt      `json:"last_attempt,omitempty"`
}

// ImportedNode is a node of v2.2. It is offline until its agent is heard of, under
// this id or from this address.
type ImportedNode struct {
	ID string `json:"id"`
	Registration
	RegisteredAt  time.Time `json:"registered_at"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
}

// ImportOutcome is what became of one job or node of an import.
type ImportOutcome string

// Import outcomes. One that exists was there before, or was once imported and has
// been removed since; it is left as it is.
const (
	ImportTaken   ImportOutcome = "imported"
	ImportExists  ImportOutcome = "exists"
	ImportRefused ImportOutcome = "refused"
)

// ImportResult says of one job or node what became of it.
type ImportResult struct {
	ID             string        `json:"id"` // of a node that exists: the one it has here
	Outcome        ImportOutcome `json:"outcome"`
	SequenceNumber uint64        `json:"sequence_number,omitempty"` // that the job has here
	Error          string        `json:"error,omitempty"`
	Field          string        `json:"field,omitempty"`
}

// ImportAnswer is the answer to POST /import, in the order of the request.
type ImportAnswer struct {
	DryRun bool           `json:"dry_run"`
	Nodes  []ImportResult `json:"nodes"`
	Jobs   []ImportResult `json:"jobs"`
}

// Bounds of what an import may claim of the past.
const (
	maxImportedSequence = 1 << 40
	maxImportedRetries  = 1 << 20
)

// Validate checks an imported job as a submission is checked, and its state.
func (j *ImportedJob) Validate() error {
	if !IsID(j.ID) {
		return FieldErrorf("id", "%q is not a UUID in lower case", j.ID)
	}
	if err := j.Spec.Validate(); err != nil {
		return err
	}
	switch {
	case !slices.Contains([]Status{Pending, Paused, Completed, Failed, Canceled}, j.Status):
		return FieldErrorf("status", "%q cannot be imported; use pending, paused, completed, failed or canceled", j.Status)
	case j.SequenceNumber > maxImportedSequence:
		return FieldErrorf("sequence_number", "must be at most %d", uint64(maxImportedSequence))
	case j.RetryCount < 0 || j.RetryCount > maxImportedRetries:
		return FieldErrorf("retry_count", "must be between 0 and %d", maxImportedRetries)
	case j.FailureReason != "" && !reasonForm.MatchString(string(j.FailureReason)):
		return FieldErrorf("failure_reason", "%q is not a word of lower-case letters, digits and underscores", j.FailureReason)
	case j.Status.Terminal() && j.CompletedAt.IsZero():
		return FieldErrorf("completed_at", "is required for a job that is %s", j.Status)
	case !j.Status.Terminal() && !j.CompletedAt.IsZero():
		return FieldErrorf("completed_at", "a job that is %s has not ended", j.Status)
	case j.Logs != "" && j.LastAttempt == nil:
		return FieldErrorf("logs", "are of an attempt: last_attempt is missing")
	}
	if err := ValidateProgress("progress", float64(j.Progress)); err != nil {
		return err
	}
	if err := validateTimes(map[string]time.Time{"last_activity_at": j.LastActivityAt, "completed_at": j.CompletedAt}); err != nil {
		return err
	}
	if err := requireTime("created_at", j.CreatedAt); err != nil {
		return err
	}
	j.Logs, j.Error, j.RetryReason = LogTail(j.Logs), shortError(j.Error), shortError(j.RetryReason)
	return j.validateAttempt()
}

// validateAttempt checks the attempt that is kept of a job's past.
func (j *ImportedJob) validateAttempt() error {
	a := j.LastAttempt
	if a == nil {
		return nil
	}
	switch {
	case a.Attempt < 1 || a.Attempt > maxImportedRetries+1:
		return FieldErrorf("last_attempt.attempt", "must be between 1 and %d", maxImportedRetries+1)
	case a.NodeID != "" && !IsID(a.NodeID):
		return FieldErrorf("last_attempt.node_id", "%q is not a UUID in lower case", a.NodeID)
	case !slices.Contains([]Outcome{AttemptCompleted, AttemptFailed, AttemptLost, AttemptCanceled, AttemptTimedOut}, a.Outcome):
		return FieldErrorf("last_attempt.outcome", "unknown value %q; use completed, failed, lost, canceled or timed_out", a.Outcome)
	case (a.Outcome == AttemptCompleted) != (j.Status == Completed):
		return FieldErrorf("last_attempt.outcome", "%q does not go with a job that is %s", a.Outcome, j.Status)
	case a.FailureReason != "" && !reasonForm.MatchString(string(a.FailureReason)):
		return FieldErrorf("last_attempt.failure_reason", "%q is not a word of lower-case letters, digits and underscores", a.FailureReason)
	}
	a.Error = shortError(a.Error)
	if err := requireTime("last_attempt.started_at", a.StartedAt); err != nil {
		return err
	}
	return requireTime("last_attempt.ended_at", a.EndedAt)
}

// Validate checks an imported node as a registration of v2.2 is checked.
func (n *ImportedNode) Validate() error {
	if !IsID(n.ID) {
		return FieldErrorf("id", "%q is not a UUID in lower case", n.ID)
	}
	if n.NodeID != "" {
		return FieldErrorf("node_id", "is of agents that say who they are; nodes of v2.2 are known by their address")
	}
	if err := n.Registration.Validate(); err != nil {
		return err
	}
	if err := requireTime("registered_at", n.RegisteredAt); err != nil {
		return err
	}
	return requireTime("last_heartbeat", n.LastHeartbeat)
}

func requireTime(field string, t time.Time) error {
	if t.IsZero() {
		return FieldErrorf(field, "is required")
	}
	return validateTimes(map[string]time.Time{field: t})
}

// validateTimes holds times that are not zero to what nanoseconds since 1970 can say.
func validateTimes(times map[string]time.Time) error {
	for field, t := range times {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
			return FieldErrorf(field, "%s is not between 1970 and 2200", t.Format(time.RFC3339))
		}
	}
	return nil
}
