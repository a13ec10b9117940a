package ffrtmp

import (
	"encoding/json"
	"time"
)

// Outcome is the state of an attempt: running, or how it ended.
type Outcome string

// Outcomes. An attempt is lost when its lease has expired. Until the next attempt is
// claimed, its node may still reclaim the job.
const (
	AttemptRunning   Outcome = "running"
	AttemptCompleted Outcome = "completed"
	AttemptFailed    Outcome = "failed"
	AttemptLost      Outcome = "lost"
	AttemptCanceled  Outcome = "canceled"
	AttemptTimedOut  Outcome = "timed_out"
)

// MaxLosses is the number of lost attempts after which a job fails. Lost attempts do not count as retries.
const MaxLosses = 5

// MaxLogBytes is the size in bytes of the log kept for one attempt: its last bytes.
const MaxLogBytes = 64 << 10

// Attempt is one run of a job on one node. Attempts are numbered from 1 within their job; times are UTC.
type Attempt struct {
	Attempt       int           `json:"attempt"`
	NodeID        string        `json:"node_id"`
	Outcome       Outcome       `json:"outcome"`
	StartedAt     time.Time     `json:"started_at"`
	EndedAt       time.Time     `json:"ended_at,omitzero"`
	Error         string        `json:"error,omitempty"`
	FailureReason FailureReason `json:"failure_reason,omitempty"`
	// Metrics are as the agent sent them; in answers about one job only.
	Metrics json.RawMessage `json:"metrics,omitempty"`
}

// FailureReason classifies why an attempt failed: a word of at most 64 lower-case letters,
// digits and underscores. A v2.2 agent may send one that is not listed here; it is stored
// unchanged, and the job is retried.
type FailureReason string

// Failure reasons. UserError and CapabilityMismatch are final: another attempt
// would fail the same way.
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

// Final reports whether a failure with this reason must not be retried.
func (r FailureReason) Final() bool { return r == UserError || r == CapabilityMismatch }

// BlamesNode reports whether a failure with this reason is the node's own fault: its platform, its programs or the
// places to which it writes.
func (r FailureReason) BlamesNode() bool { return r == PlatformError || r == OutputError }

// AvoidNode reports whether the next attempt should prefer another node, because the
// cause may be this node's network, storage or platform.
func (r FailureReason) AvoidNode() bool {
	return r == InputError || r == OutputError || r == PlatformError
}
