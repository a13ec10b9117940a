package ffrtmp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
)

// Spec is a job to submit: the body of POST /jobs. Only Scenario is required.
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

	Origin Origin `json:"-"` // set by the master
}

// maxWord limits the confidence, the classification and the phase of a job, in bytes.
const maxWord = 64

// MaxBatch is the largest number of jobs in one submission.
const MaxBatch = 10_000

// MaxParametersBytes is the largest size of a job's parameters in bytes.
const MaxParametersBytes = 64 << 10

// Validate checks a spec and fills in defaults: engine, queue, priority, and the encoder of its
// codec in Requires. The error is Invalid and names the field.
func (s *Spec) Validate() error {
	if err := checkLength("parameters", s.Parameters, MaxParametersBytes); err != nil {
		return err
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
	s.setDefaults(e.Live)
	if e.Live && s.Queue == Default && p.Engine != "" {
		s.Queue = Live // v2.2's CLI sends a queue and this parameter always
	}
	if err := cmp.Or(
		checkEngine("engine", s.Engine),
		checkEngine("parameters.engine", p.Engine),
		checkText("confidence", s.Confidence, maxWord),
		checkText("classification", s.Classification, maxWord),
		validateQueue(&s.Queue),
		validatePriority(&s.Priority),
		validateMaxRetries(s.MaxRetries),
		validateLabels("labels", s.Labels),
		s.Requires.validate()); err != nil {
		return err
	}
	s.require(e.Encoder, e.notLegacy(p))
	return nil
}

// setDefaults fills in engine, queue and priority.
func (s *Spec) setDefaults(live bool) {
	queue := Default
	if live {
		queue = Live
	}
	s.Engine = cmp.Or(s.Engine, "auto")
	s.Queue = cmp.Or(s.Queue, queue)
	s.Priority = cmp.Or(s.Priority, Medium)
}

// checkEngine returns an error that names the field unless the engine is known or empty.
func checkEngine(field, engine string) error {
	if !slices.Contains([]string{"", "auto", "ffmpeg"}, engine) {
		return FieldErrorf(field, "unknown value %q; use auto or ffmpeg", engine)
	}
	return nil
}

// compact removes the white space from a document; null becomes nil.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if !bytes.ContainsAny(raw, " \t\r\n") {
		return raw, nil // which is valid: it is part of a document that was decoded
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, Errorf(Invalid, "parameters: %v", err)
	}
	return out.Bytes(), nil
}

// validateQueue returns an error that names the field unless q is nil or one of Queues.
func validateQueue(q *Queue) error {
	if q != nil && !slices.Contains(Queues, *q) {
		return FieldErrorf("queue", "unknown value %q; use live, default or batch", *q)
	}
	return nil
}

// validatePriority returns an error that names the field unless p is nil or one of Priorities.
func validatePriority(p *Priority) error {
	if p != nil && !slices.Contains(Priorities, *p) {
		return FieldErrorf("priority", "unknown value %q; use high, medium or low", *p)
	}
	return nil
}

// ValidateMaxRetries returns an error that names max_retries unless n is between 0 and 100.
func ValidateMaxRetries(n int) error {
	return checkRange("max_retries", n, 0, 100)
}

func validateMaxRetries(n *int) error {
	if n == nil {
		return nil
	}
	return ValidateMaxRetries(*n)
}

// require adds to Requires the encoder, the GPU it may need, and why a v2.2 agent cannot run the job.
func (s *Spec) require(encoder, currentAgent string) {
	r := Requires{}
	if s.Requires != nil {
		r = *s.Requires
	}
	r.CodecEncoder, r.CurrentAgent = "", currentAgent
	switch r.Encoder {
	case "", encoder:
		r.Encoder = encoder
	default:
		r.CodecEncoder = encoder
	}
	r.GPU = r.GPU || hardwareEncoder(encoder)
	s.Requires = &r
}

// Patch is the body of PATCH /jobs/{id}: changes to a pending job. Nil fields stay as they are.
type Patch struct {
	Queue      *Queue            `json:"queue,omitempty"`
	Priority   *Priority         `json:"priority,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"` // replaces all labels
	MaxRetries *int              `json:"max_retries,omitempty"`
}

// Validate returns an error that names the first field at fault.
func (p *Patch) Validate() error {
	return cmp.Or(
		validateQueue(p.Queue),
		validatePriority(p.Priority),
		validateMaxRetries(p.MaxRetries),
		validateLabels("labels", p.Labels))
}

// Submitted is the response of POST /jobs/batch, in the order of the request.
type Submitted struct {
	Jobs  []SubmittedJob `json:"jobs"`
	Count int            `json:"count"`
}

// SubmittedJob identifies one job of a batch.
type SubmittedJob struct {
	ID             string `json:"id"`
	SequenceNumber uint64 `json:"sequence_number"`
}
