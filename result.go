package ffrtmp

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// ResultStatus is how an attempt ended, as its agent reports it.
type ResultStatus string

// Result statuses. ResultPublishing reports that the output is complete and about to be moved
// into place; ResultCompleted that it is in place.
const (
	ResultPublishing ResultStatus = "publishing"
	ResultCompleted  ResultStatus = "completed"
	ResultFailed     ResultStatus = "failed"
	ResultCanceled   ResultStatus = "canceled"
)

// Result is the body of POST /results: v2.2's JobResult, then fields added since. A v2.2 agent
// sends neither Attempt nor Lease.
type Result struct {
	JobID          string          `json:"job_id"`
	NodeID         string          `json:"node_id"`
	Status         ResultStatus    `json:"status"`
	Error          string          `json:"error,omitempty"`
	FailureReason  FailureReason   `json:"failure_reason,omitempty"`
	Logs           string          `json:"logs,omitempty"`
	LogOffset      int64           `json:"log_offset,omitempty"`      // bytes of the attempt's log before Logs
	Metrics        json.RawMessage `json:"metrics,omitempty"`         // an object
	AnalyzerOutput json.RawMessage `json:"analyzer_output,omitempty"` // an object
	// Progress and its detail are how far a failed attempt came. A completed job is at 100 %.
	Progress       float64   `json:"progress,omitempty"`
	ProgressDetail *Progress `json:"progress_detail,omitempty"`
	// Sent by v2.2 agents, checked and ignored: times come from the masters' clock.
	CompletedAt *string `json:"completed_at,omitempty"` // RFC 3339

	Attempt     int     `json:"attempt,omitempty"`
	Lease       string  `json:"lease,omitempty"`
	Output      *Output `json:"output,omitempty"`
	InputUnseen bool    `json:"input_unseen,omitempty"` // failed because the node cannot see the input

	Warnings []string `json:"warnings,omitempty"` // what a user should know of a completed job
	Media    *Media   `json:"media,omitempty"`    // kept up to a bound
}

// maxResultJSONBytes limits the size of Metrics and of AnalyzerOutput.
const maxResultJSONBytes = 64 << 10

// Validate checks a result and truncates its log to LogTail; LogOffset moves along.
func (r *Result) Validate() error {
	switch {
	case r.JobID == "":
		return FieldErrorf("job_id", "is required")
	case r.NodeID == "":
		return FieldErrorf("node_id", "is required")
	case r.Attempt < 0:
		return FieldErrorf("attempt", "must not be negative")
	case r.LogOffset < 0:
		return FieldErrorf("log_offset", "must not be negative")
	}
	if err := cmp.Or(
		checkObject("metrics", r.Metrics),
		checkObject("analyzer_output", r.AnalyzerOutput),
		r.FailureReason.validate("failure_reason"),
		ValidateProgress("progress", r.Progress),
		r.ProgressDetail.Validate("progress_detail")); err != nil {
		return err
	}
	if r.CompletedAt != nil {
		if _, err := time.Parse(time.RFC3339, *r.CompletedAt); err != nil {
			return FieldErrorf("completed_at", "%q is not a time such as 2006-01-02T15:04:05Z", *r.CompletedAt)
		}
	}
	switch r.Status {
	case ResultPublishing, ResultCompleted, ResultFailed, ResultCanceled:
	default:
		return FieldErrorf("status", "unknown value %q; use publishing, completed, failed or canceled", r.Status)
	}
	r.LogOffset += int64(max(0, len(r.Logs)-MaxLogBytes))
	r.Logs, r.Error = LogTail(r.Logs), ShortError(r.Error)
	r.Warnings, r.Media = shortWarnings(r.Warnings), r.Media.Bounded()
	return r.Output.validate()
}

// maxErrorBytes limits the size of a stored error.
const maxErrorBytes = 4096

// ShortError truncates a message to the size that is stored.
func ShortError(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxErrorBytes)], "") }

// Bounds of the warnings of a result.
const (
	maxWarnings     = 16
	maxWarningBytes = 512
)

// shortWarnings truncates warnings to what is stored.
func shortWarnings(list []string) []string {
	list = list[:min(len(list), maxWarnings)]
	for i, w := range list {
		list[i] = strings.ToValidUTF8(w[:min(len(w), maxWarningBytes)], "")
	}
	return list
}

var reasonForm = regexp.MustCompile(`^([a-z][a-z0-9_]{0,63})?$`)

// validate returns an error that names the field unless r is empty or has the form of a reason.
func (r FailureReason) validate(field string) error {
	if !reasonForm.MatchString(string(r)) {
		return FieldErrorf(field, "must be a word of at most 64 lower-case letters, digits and underscores")
	}
	return nil
}

// checkObject returns an error that names the field unless the value is an object that is not
// too long, null or absent.
func checkObject(field string, raw json.RawMessage) error {
	if len(raw) > 0 && raw[0] != '{' && string(raw) != "null" {
		return FieldErrorf(field, "must be an object")
	}
	return checkLength(field, raw, maxResultJSONBytes)
}

// ValidateProgress returns an error that names the field unless p is a percentage.
func ValidateProgress(field string, p float64) error {
	if p < 0 || p > 100 {
		return FieldErrorf(field, "must be between 0 and 100")
	}
	return nil
}

// LogTail returns the last MaxLogBytes of a log.
func LogTail(s string) string {
	if len(s) > MaxLogBytes {
		return s[len(s)-MaxLogBytes:]
	}
	return s
}

// ResultResponse is the response of POST /results: "success", or "retrying" with the number of
// the retry that follows.
type ResultResponse struct {
	Status     string `json:"status"`
	Retry      int    `json:"retry,omitempty"`
	MaxRetries int    `json:"max_retries,omitempty"`
}
