package ffrtmp

import (
	"encoding/json"
	"regexp"
	"time"
)

// Queue orders jobs before their priority does.
type Queue string

// Queues, served in this order.
const (
	Live    Queue = "live"
	Default Queue = "default"
	Batch   Queue = "batch"
)

// Queues lists the queues in the order in which they are served.
var Queues = []Queue{Live, Default, Batch}

// Priority orders jobs within a queue.
type Priority string

// Priorities, served in this order.
const (
	High   Priority = "high"
	Medium Priority = "medium"
	Low    Priority = "low"
)

// Priorities lists the priorities in the order in which they are served.
var Priorities = []Priority{High, Medium, Low}

// Rank is a job's place in the order of service, lowest first: queue before
// priority. Jobs of one rank are served by sequence number.
func Rank(q Queue, p Priority) int {
	return index(Queues, q)*len(Priorities) + index(Priorities, p)
}

// Ranks is the number of different values that Rank returns.
const Ranks = 9

func index[T comparable](list []T, v T) int {
	for i, x := range list {
		if x == v {
			return i
		}
	}
	return len(list) - 1
}

// PublishingPhase is the phase of a sealed attempt: its output is complete and
// being moved into place, and no other attempt may start.
const PublishingPhase = "publishing"

// Job is a unit of FFmpeg work as the API shows it. Field names are v2.2's, then ours.
// Times are UTC; a zero time means that it has not happened.
type Job struct {
	ID             string          `json:"id"`
	SequenceNumber uint64          `json:"sequence_number"`
	Scenario       string          `json:"scenario"`
	Confidence     string          `json:"confidence"`
	Engine         string          `json:"engine"`
	Classification string          `json:"classification,omitempty"`
	Parameters     json.RawMessage `json:"parameters,omitempty"` // an object, as submitted
	Status         Status          `json:"status"`
	Queue          Queue           `json:"queue"`
	Priority       Priority        `json:"priority"`
	Progress       int             `json:"progress"` // per cent
	NodeID         string          `json:"node_id,omitempty"`
	NodeName       string          `json:"node_name,omitempty"`
	CreatedAt      time.Time       `json:"created_at"`
	StartedAt      time.Time       `json:"started_at,omitzero"`
	LastActivityAt time.Time       `json:"last_activity_at,omitzero"`
	CompletedAt    time.Time       `json:"completed_at,omitzero"`
	RetryCount     int             `json:"retry_count"`
	MaxRetries     int             `json:"max_retries"`
	RetryReason    string          `json:"retry_reason,omitempty"`
	Error          string          `json:"error,omitempty"`
	FailureReason  FailureReason   `json:"failure_reason,omitempty"`
	Logs           string          `json:"logs,omitempty"`
	TimeoutAt      time.Time       `json:"timeout_at,omitzero"`

	Attempt        int               `json:"attempt"` // number of the newest attempt, 0 before the first
	Attempts       []Attempt         `json:"attempts,omitempty"`
	Lease          string            `json:"lease,omitempty"` // only in the answer to the claiming node
	NotBefore      time.Time         `json:"not_before,omitzero"`
	Labels         map[string]string `json:"labels,omitempty"`
	Requires       *Requires         `json:"requires,omitempty"`
	ProgressDetail *Progress         `json:"progress_detail,omitempty"`
	Output         *Output           `json:"output,omitempty"`
	Origin
}

// Progress is what ffmpeg last said of itself.
type Progress struct {
	Phase          string  `json:"phase,omitempty"` // starting, encoding, verifying, publishing, paused
	Frame          int64   `json:"frame"`
	FPS            float64 `json:"fps"`
	Speed          float64 `json:"speed"` // times real time
	OutTimeSeconds float64 `json:"out_time_seconds"`
	ETASeconds     float64 `json:"eta_seconds,omitempty"` // 0 when it cannot be known
}

// Validate returns an error that names the part of field at fault. Numbers are
// ffmpeg's business.
func (p *Progress) Validate(field string) error {
	if p == nil {
		return nil
	}
	return checkText(field+".phase", p.Phase, 64)
}

// Output is a file that a completed job has left behind.
type Output struct {
	Path      string `json:"path"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256,omitempty"` // hex
}

var sha256Form = regexp.MustCompile(`^([0-9a-f]{64})?$`)

func (o *Output) validate() error {
	switch {
	case o == nil:
		return nil
	case o.SizeBytes < 0:
		return FieldErrorf("output.size_bytes", "must not be negative")
	case !sha256Form.MatchString(o.SHA256):
		return FieldErrorf("output.sha256", "must be 64 hexadecimal digits in lower case")
	}
	return checkText("output.path", o.Path, maxPath)
}
