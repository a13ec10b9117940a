package ffrtmp

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Queue is the class of service of a job. Queues are served in the order of Queues.
type Queue string

// Queues, first served first.
const (
	Live    Queue = "live"
	Default Queue = "default"
	Batch   Queue = "batch"
)

// Queues lists the queues, first served first.
var Queues = []Queue{Live, Default, Batch}

// Priority orders the jobs of a queue.
type Priority string

// Priorities, first served first.
const (
	High   Priority = "high"
	Medium Priority = "medium"
	Low    Priority = "low"
)

// Priorities lists the priorities, first served first.
var Priorities = []Priority{High, Medium, Low}

// Valid reports whether p is one of Priorities.
func (p Priority) Valid() bool { return slices.Contains(Priorities, p) }

// Rank returns a job's rank, from 0 to Ranks-1: by queue, then by priority. Jobs of a lower rank
// are served first, jobs of one rank by sequence number. An unknown queue or priority ranks last.
func Rank(q Queue, p Priority) int {
	return index(Queues, q)*len(Priorities) + index(Priorities, p)
}

// Ranks is the number of ranks.
const Ranks = 9

func index[T comparable](list []T, v T) int {
	if i := slices.Index(list, v); i >= 0 {
		return i
	}
	return len(list) - 1
}

// VerifyingPhase is the phase of an attempt whose output is complete and being checked.
const VerifyingPhase = "verifying"

// PublishingPhase is the phase of an attempt whose output is complete and being moved into
// place. No other attempt may start meanwhile.
const PublishingPhase = "publishing"

// Job is an encoding job as the API shows it: first v2.2's fields, then those added since. Times
// are UTC; a zero time means that it has not happened.
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
	Progress       int             `json:"progress"` // 0 to 100
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

	Attempt        int               `json:"attempt"` // number of the latest attempt; 0 before the first
	Attempts       []Attempt         `json:"attempts,omitempty"`
	Lease          string            `json:"lease,omitempty"` // only in the response to the claiming node
	NotBefore      time.Time         `json:"not_before,omitzero"`
	Labels         map[string]string `json:"labels,omitempty"`
	Requires       *Requires         `json:"requires,omitempty"`
	ProgressDetail *Progress         `json:"progress_detail,omitempty"`
	Output         *Output           `json:"output,omitempty"`
	Warnings       []string          `json:"warnings,omitempty"` // of a completed job
	Origin
}

// Progress is ffmpeg's latest progress report.
type Progress struct {
	Phase          string  `json:"phase,omitempty"` // starting, encoding, verifying, publishing, paused
	Frame          int64   `json:"frame"`
	FPS            float64 `json:"fps"`
	Speed          float64 `json:"speed"` // multiple of real time
	OutTimeSeconds float64 `json:"out_time_seconds"`
	ETASeconds     float64 `json:"eta_seconds,omitempty"` // 0: unknown
}

// Validate checks the phase; the error names it below field. Numbers are not checked: they come
// from ffmpeg.
func (p *Progress) Validate(field string) error {
	if p == nil {
		return nil
	}
	return checkText(field+".phase", p.Phase, maxWord)
}

// Output is the file a completed job has written.
type Output struct {
	Path      string `json:"path"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256,omitempty"` // lower-case hex

	Loudness []TrackLoudness `json:"loudness,omitempty"` // of the audio tracks that were normalized
	Sidecars []Sidecar       `json:"sidecars,omitempty"` // files beside it
}

// Sidecar is a file of extracted subtitles.
type Sidecar struct {
	Path      string `json:"path"`
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256,omitempty"` // lower-case hex
}

var sha256Form = regexp.MustCompile(`^([0-9a-f]{64})?$`)

func (o *Output) validate() error {
	switch {
	case o == nil:
		return nil
	case o.SizeBytes < 0:
		return FieldErrorf("output.size_bytes", "must not be negative")
	case !sha256Form.MatchString(o.SHA256):
		return FieldErrorf("output.sha256", "must be 64 lower-case hexadecimal digits")
	}
	o.Loudness, o.Sidecars = boundedLoudness(o.Loudness), o.Sidecars[:min(len(o.Sidecars), maxTracks)]
	for i, s := range o.Sidecars {
		file := Output{Path: s.Path, SizeBytes: s.SizeBytes, SHA256: s.SHA256}
		if err := file.validate(); err != nil {
			return FieldErrorf(fmt.Sprintf("output.sidecars[%d]", i), "%v", err)
		}
	}
	return checkText("output.path", o.Path, maxPath)
}
