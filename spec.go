package ffrtmp

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// Spec is a job as it is submitted: the body of POST /jobs.
type Spec struct {
	Scenario       string            `json:"scenario"`
	Confidence     string            `json:"confidence,omitempty"`
	Engine         string            `json:"engine,omitempty"`
	Classification string            `json:"classification,omitempty"`
	Parameters     json.RawMessage   `json:"parameters,omitempty"`
	Queue          Queue             `json:"queue,omitempty"`
	Priority       Priority          `json:"priority,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	Requires       *Requires         `json:"requires,omitempty"`
	MaxRetries     *int              `json:"max_retries,omitempty"`

	Origin Origin `json:"-"` // known to the master that takes the request
}

// MaxBatch is the largest number of jobs in one submission.
const MaxBatch = 10_000

// MaxParametersBytes bounds a job's parameters.
const MaxParametersBytes = 64 << 10

// Validate checks a submission and fills in what it leaves out: engine, queue,
// priority, and the encoder that its codec needs. The error names the field.
func (s *Spec) Validate() error {
	if len(s.Parameters) > MaxParametersBytes {
		return FieldErrorf("parameters", "is longer than %d bytes", MaxParametersBytes)
	}
	p, err := ParseParameters(s.Parameters)
	if err != nil {
		return err
	}
	e, err := Resolve(s.Scenario, p)
	if err != nil {
		return err
	}
	if s.Parameters, err = compact(s.Parameters); err != nil {
		return err
	}
	if s.Engine == "" {
		s.Engine = "auto"
	}
	for field, engine := range map[string]string{"engine": s.Engine, "parameters.engine": p.Engine} {
		if !slices.Contains([]string{"", "auto", "ffmpeg"}, engine) {
			return FieldErrorf(field, "unknown value %q; use auto or ffmpeg", engine)
		}
	}
	if err := errors.Join(checkText("confidence", s.Confidence, 64), checkText("classification", s.Classification, 64)); err != nil {
		return err
	}
	if err := s.place(e.Live); err != nil {
		return err
	}
	if s.MaxRetries != nil {
		if err := ValidateMaxRetries(*s.MaxRetries); err != nil {
			return err
		}
	}
	if err := validateLabels("labels", s.Labels); err != nil {
		return err
	}
	return s.require(e.Encoder)
}

// compact takes the white space out of a document; null is none.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, Errorf(Invalid, "parameters: %v", err)
	}
	return out.Bytes(), nil
}

func (s *Spec) place(live bool) error {
	if s.Queue == "" {
		s.Queue = Default
		if live {
			s.Queue = Live
		}
	}
	if s.Priority == "" {
		s.Priority = Medium
	}
	if err := validateQueue(s.Queue); err != nil {
		return err
	}
	return validatePriority(s.Priority)
}

// validateQueue returns an error that names the field unless q is one of Queues.
func validateQueue(q Queue) error {
	if !slices.Contains(Queues, q) {
		return FieldErrorf("queue", "unknown value %q; use live, default or batch", q)
	}
	return nil
}

// validatePriority returns an error that names the field unless p is one of Priorities.
func validatePriority(p Priority) error {
	if !slices.Contains(Priorities, p) {
		return FieldErrorf("priority", "unknown value %q; use high, medium or low", p)
	}
	return nil
}

// ValidateMaxRetries returns an error that names the field when n is out of range.
func ValidateMaxRetries(n int) error {
	if n < 0 || n > 100 {
		return FieldErrorf("max_retries", "must be between 0 and 100")
	}
	return nil
}

// require adds to Requires what the encode itself needs.
func (s *Spec) require(encoder string) error {
	if err := s.Requires.validate(); err != nil {
		return err
	}
	r := Requires{}
	if s.Requires != nil {
		r = *s.Requires
	}
	r.CodecEncoder = ""
	switch r.Encoder {
	case "", encoder:
		r.Encoder = encoder
	default:
		r.CodecEncoder = encoder
	}
	r.GPU = r.GPU || hardwareEncoder(encoder)
	s.Requires = &r
	return nil
}

// Patch is the body of PATCH /jobs/{id}: what may change while a job is pending.
type Patch struct {
	Queue      *Queue            `json:"queue,omitempty"`
	Priority   *Priority         `json:"priority,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"` // replaces all labels when present
	MaxRetries *int              `json:"max_retries,omitempty"`
}

// Validate returns an error that names the first field at fault.
func (p *Patch) Validate() error {
	if p.Queue != nil {
		if err := validateQueue(*p.Queue); err != nil {
			return err
		}
	}
	if p.Priority != nil {
		if err := validatePriority(*p.Priority); err != nil {
			return err
		}
	}
	if p.MaxRetries != nil {
		if err := ValidateMaxRetries(*p.MaxRetries); err != nil {
			return err
		}
	}
	return validateLabels("labels", p.Labels)
}

// Submitted is the answer to POST /jobs/batch.
type Submitted struct {
	Jobs  []SubmittedJob `json:"jobs"`
	Count int            `json:"count"`
}

// SubmittedJob names one job of a batch.
type SubmittedJob struct {
	ID             string `json:"id"`
	SequenceNumber uint64 `json:"sequence_number"`
}
