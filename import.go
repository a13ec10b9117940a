package ffrtmp

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Import is the body of POST /import: jobs and nodes of another system, with their state. Nodes
// are imported before the jobs that refer to them.
type Import struct {
	Nodes []ImportedNode `json:"nodes,omitempty"`
	Jobs  []ImportedJob  `json:"jobs,omitempty"`
}

// Limits of one import: the number of jobs and nodes together, and the size of the body in bytes.
const (
	MaxImport      = 500
	MaxImportBytes = 4 << 20
)

// MaxEarlierAttempts is the largest number of attempts of one imported job before its last one.
const MaxEarlierAttempts = 1000

// ImportedJob is a job of another system. Its status is never Running: a running job cannot be
// imported. Times are UTC.
type ImportedJob struct {
	ID             string `json:"id"`
	SequenceNumber uint64 `json:"sequence_number,omitempty"` // kept if the cluster has not used it yet
	Spec
	Status         Status        `json:"status"`
	Progress       int           `json:"progress,omitempty"`
	CreatedAt      time.Time     `json:"created_at"`
	LastActivityAt time.Time     `json:"last_activity_at,omitzero"`
	CompletedAt    time.Time     `json:"completed_at,omitzero"` // only in a terminal state
	RetryCount     int           `json:"retry_count"`
	RetryReason    string        `json:"retry_reason,omitempty"`
	Error          string        `json:"error,omitempty"`
	FailureReason  FailureReason `json:"failure_reason,omitempty"`
	Logs           string        `json:"logs,omitempty"` // log of LastAttempt
	LastAttempt    *Attempt      `json:"last_attempt,omitempty"`
	// EarlierAttempts are those before LastAttempt, by number; at most MaxEarlierAttempts.
	EarlierAttempts []Attempt `json:"earlier_attempts,omitempty"`
}

// ImportedNode is a v2.2 node. It is offline until its agent makes a request with this id or
// from this address.
type ImportedNode struct {
	ID string `json:"id"`
	Registration
	RegisteredAt  time.Time `json:"registered_at"`
	LastHeartbeat time.Time `json:"last_heartbeat"`
}

// ImportOutcome is the result of importing one job or node.
type ImportOutcome string

// Import outcomes. ImportExists means that the job or node is already known, or was imported
// before and has been removed since; nothing is changed.
const (
	ImportTaken   ImportOutcome = "imported"
	ImportExists  ImportOutcome = "exists"
	ImportRefused ImportOutcome = "refused"
)

// ImportResult is the result for one job or node. Error and Field are set if it was refused.
type ImportResult struct {
	ID             string        `json:"id"` // id in this cluster
	Outcome        ImportOutcome `json:"outcome"`
	SequenceNumber uint64        `json:"sequence_number,omitempty"` // sequence number in this cluster
	Error          string        `json:"error,omitempty"`
	Field          string        `json:"field,omitempty"`
}

// ImportAnswer is the response of POST /import, in the order of the request.
type ImportAnswer struct {
	DryRun bool           `json:"dry_run"`
	Nodes  []ImportResult `json:"nodes"`
	Jobs   []ImportResult `json:"jobs"`
}

// Limits on imported counters.
const (
	maxImportedSequence = 1 << 40
	maxImportedRetries  = 1 << 20
)

// Validate checks an imported job's spec and state, and truncates its log and errors.
func (j *ImportedJob) Validate() error {
	if err := checkID("id", j.ID); err != nil {
		return err
	}
	if err := j.validateSpec(); err != nil {
		return err
	}
	if err := j.validateState(); err != nil {
		return err
	}
	j.redact()
	j.Logs, j.Error, j.RetryReason = LogTail(j.Logs), ShortError(j.Error), ShortError(j.RetryReason)
	return cmp.Or(j.validateAttempt(), j.validateEarlier())
}

// validateSpec checks the spec. A finished job may be one that nobody could submit: it is history. Where its scenario,
// parameters or engine are none of this version, no v2.2 agent gets it when it is retried.
func (j *ImportedJob) validateSpec() error {
	err := j.Spec.Validate()
	if err == nil || !j.Status.Terminal() {
		return err
	}
	s := &j.Spec
	if err := checkLength("parameters", s.Parameters, MaxParametersBytes); err != nil {
		return err
	}
	if s.Parameters, err = compact(s.Parameters); err != nil {
		return err
	}
	s.setDefaults(false)
	s.require("", "a v2.2 agent would encode something else")
	return cmp.Or(
		checkObject("parameters", s.Parameters),
		checkText("scenario", s.Scenario, maxPastText),
		checkText("engine", s.Engine, maxPastText),
		checkText("confidence", s.Confidence, maxWord),
		checkText("classification", s.Classification, maxWord),
		validateQueue(&s.Queue),
		validatePriority(&s.Priority),
		validateMaxRetries(s.MaxRetries),
		validateLabels("labels", s.Labels))
}

// redact removes the job's secrets from what v2.2's agents wrote.
func (j *ImportedJob) redact() {
	r := NewRedactor(j.Parameters)
	j.Logs, j.Error, j.RetryReason = r.Text(j.Logs), r.Text(j.Error), r.Text(j.RetryReason)
	attempt := func(a *Attempt) { a.Error, a.Metrics = r.Text(a.Error), r.JSON(a.Metrics) }
	if j.LastAttempt != nil {
		attempt(j.LastAttempt)
	}
	for i := range j.EarlierAttempts {
		attempt(&j.EarlierAttempts[i])
	}
}

// maxPastText limits the scenario and the engine of a finished job, in bytes.
const maxPastText = 255

func (j *ImportedJob) validateState() error {
	switch {
	case !slices.Contains([]Status{Pending, Paused, Completed, Failed, Canceled}, j.Status):
		return FieldErrorf("status", "%q cannot be imported; use pending, paused, completed, failed or canceled",
			j.Status)
	case j.SequenceNumber > maxImportedSequence:
		return FieldErrorf("sequence_number", "must be at most %d", uint64(maxImportedSequence))
	case j.Status.Terminal() && j.CompletedAt.IsZero():
		return FieldErrorf("completed_at", "is required for a job that is %s", j.Status)
	case !j.Status.Terminal() && !j.CompletedAt.IsZero():
		return FieldErrorf("completed_at", "must not be set for a job that is %s", j.Status)
	case j.Logs != "" && j.LastAttempt == nil:
		return FieldErrorf("logs", "requires last_attempt")
	}
	return cmp.Or(
		checkRange("retry_count", j.RetryCount, 0, maxImportedRetries),
		j.FailureReason.validate("failure_reason"),
		ValidateProgress("progress", float64(j.Progress)),
		validateTime("last_activity_at", j.LastActivityAt),
		validateTime("completed_at", j.CompletedAt),
		requireTime("created_at", j.CreatedAt))
}

// validateAttempt checks the last attempt, if there is one.
func (j *ImportedJob) validateAttempt() error {
	a := j.LastAttempt
	if a == nil {
		return nil
	}
	if (a.Outcome == AttemptCompleted) != (j.Status == Completed) && slices.Contains(ended, a.Outcome) {
		return FieldErrorf("last_attempt.outcome", "%q contradicts the job's status %s", a.Outcome, j.Status)
	}
	return a.validatePast("last_attempt")
}

// validateEarlier checks the attempts before the last one.
func (j *ImportedJob) validateEarlier() error {
	switch n := len(j.EarlierAttempts); {
	case n > MaxEarlierAttempts:
		return FieldErrorf("earlier_attempts", "has more than %d entries", MaxEarlierAttempts)
	case n > 0 && j.LastAttempt == nil:
		return FieldErrorf("earlier_attempts", "requires last_attempt")
	}
	for i := range j.EarlierAttempts {
		a := &j.EarlierAttempts[i]
		field := "earlier_attempts[" + strconv.Itoa(i) + "]"
		if err := a.validatePast(field); err != nil {
			return err
		}
		next := j.LastAttempt.Attempt
		if i+1 < len(j.EarlierAttempts) {
			next = j.EarlierAttempts[i+1].Attempt
		}
		if a.Attempt >= next {
			return FieldErrorf(field+".attempt", "must be less than %d, that of the next one", next)
		}
	}
	return nil
}

// ended are the outcomes of attempts that have ended.
var ended = []Outcome{AttemptCompleted, AttemptFailed, AttemptLost, AttemptCanceled, AttemptTimedOut}

// validatePast checks an attempt that has ended, and truncates its error.
func (a *Attempt) validatePast(field string) error {
	if a.NodeID != "" && !IsID(a.NodeID) {
		return checkID(field+".node_id", a.NodeID)
	}
	if !slices.Contains(ended, a.Outcome) {
		return FieldErrorf(field+".outcome",
			"unknown value %q; use completed, failed, lost, canceled or timed_out", a.Outcome)
	}
	a.Error = ShortError(a.Error)
	if string(a.Metrics) == "null" {
		a.Metrics = nil
	}
	return cmp.Or(
		checkRange(field+".attempt", a.Attempt, 1, maxImportedRetries+1),
		a.FailureReason.validate(field+".failure_reason"),
		requireTime(field+".started_at", a.StartedAt),
		requireTime(field+".ended_at", a.EndedAt),
		checkObject(field+".metrics", a.Metrics))
}

// Validate checks an imported node and fills in defaults, as for a v2.2 registration.
func (n *ImportedNode) Validate() error {
	if err := checkID("id", n.ID); err != nil {
		return err
	}
	if n.NodeID != "" {
		return FieldErrorf("node_id", "must not be set: v2.2 nodes are identified by their address")
	}
	if err := n.Registration.Validate(); err != nil {
		return err
	}
	return cmp.Or(requireTime("registered_at", n.RegisteredAt), requireTime("last_heartbeat", n.LastHeartbeat))
}

func requireTime(field string, t time.Time) error {
	if t.IsZero() {
		return FieldErrorf(field, "is required")
	}
	return validateTime(field, t)
}

// validateTime returns an error that names the field unless t is zero or can be stored as
// nanoseconds since 1970.
func validateTime(field string, t time.Time) error {
	if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
		return FieldErrorf(field, "%s is not between 1970 and 2200", t.Format(time.RFC3339))
	}
	return nil
}
