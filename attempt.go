package ffrtmp

import "time"

// Outcome is how an attempt stands or ended.
type Outcome string

// Outcomes. An attempt is Lost when its lease ran out; until the next attempt is
// claimed, its node may still take the job back.
const (
	AttemptRunning   Outcome = "running"
	AttemptCompleted Outcome = "completed"
	AttemptFailed    Outcome = "failed"
	AttemptLost      Outcome = "lost"
	AttemptCanceled  Outcome = "canceled"
	AttemptTimedOut  Outcome = "timed_out"
)

// MaxLosses is the number of lost attempts that ends a job. Losses do not use up retries.
const MaxLosses = 5

// MaxLogBytes bounds the log that is kept of one attempt; the tail is what is kept.
const MaxLogBytes = 64 << 10

// Attempt is one node's try at a job.
type Attempt struct {
	Attempt       int           `json:"attempt"`
	NodeID        string        `json:"node_id"`
	Outcome       Outcome       `json:"outcome"`
	StartedAt     time.Time     `json:"started_at"`
	EndedAt       time.Time     `json:"ended_at,omitzero"`
	Error         string        `json:"error,omitempty"`
	FailureReason FailureReason `json:"failure_reason,omitempty"`
}

// FailureReason classifies why an attempt failed. Agents of v2.2 may send others
// than these; such a reason is kept as it is and retried.
type FailureReason string

// Failure reasons. UserError and CapabilityMismatch are final: another attempt
// would fail in the same way.
const (
	UserError          FailureReason = "user_error"
	CapabilityMismatch FailureReason = "capability_mismatch"
	InputError         FailureReason = "input_error"
	OutputError        FailureReason = "output_error"
	NetworkError       FailureReason = "network_error"
	RuntimeError       FailureReason = "runtime_error"
	PlatformError      FailureReason = "platform_error"
	Timeout            FailureReason = "timeout"
	Hung               FailureReason = "hung"
	NodeLost           FailureReason = "node_lost"
)

// Final reports whether a failure for this reason must not be retried.
func (r FailureReason) Final() bool { return r == UserError || r == CapabilityMismatch }

// AvoidNode reports whether the next attempt should go to another node when there
// is one: the fault may lie with what this node can reach or run.
func (r FailureReason) AvoidNode() bool {
	return r == InputError || r == OutputError || r == PlatformError
}
