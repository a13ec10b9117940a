package ffrtmp

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// ResultStatus is what an agent says of an attempt's end.
type ResultStatus string

// Result statuses. Publishing seals the attempt; Completed confirms that its
// output is in place.
const (
	ResultPublishing ResultStatus = "publishing"
	ResultCompleted  ResultStatus = "completed"
	ResultFailed     ResultStatus = "failed"
	ResultCanceled   ResultStatus = "canceled"
)

// Result is the body of POST /results: v2.2's JobResult, then ours. A v2.2 agent
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
	// What v2.2 says of the end besides. It is checked, and not kept: a completed
	// job is at 100 %, and the masters' clock counts.
	Progress    float64 `json:"progress,omitempty"`
	CompletedAt *string `json:"completed_at,omitempty"` // RFC 3339

	Attempt int     `json:"attempt,omitempty"`
	Lease   string  `json:"lease,omitempty"`
	Output  *Output `json:"output,omitempty"`
}

// maxResultJSONBytes bounds each of Metrics and AnalyzerOutput.
const maxResultJSONBytes = 64 << 10

// Validate checks a result and cuts its log to the tail that is kept.
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
	case len(r.Metrics) > maxResultJSONBytes:
		return FieldErrorf("metrics", "is longer than %d bytes", maxResultJSONBytes)
	case len(r.AnalyzerOutput) > maxResultJSONBytes:
		return FieldErrorf("analyzer_output", "is longer than %d bytes", maxResultJSONBytes)
	case !isObject(r.Metrics):
		return FieldErrorf("metrics", "must be an object")
	case !isObject(r.AnalyzerOutput):
		return FieldErrorf("analyzer_output", "must be an object")
	case r.FailureReason != "" && !reasonForm.MatchString(string(r.FailureReason)):
		return FieldErrorf("failure_reason", "must be a word of lower-case letters, digits and underscores, at most 64 of them")
	}
	if err := ValidateProgress("progress", r.Progress); err != nil {
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
	r.Logs, r.Error = LogTail(r.Logs), shortError(r.Error)
	return r.Output.validate()
}

// maxErrorBytes is how much is kept of an attempt's error.
const maxErrorBytes = 4096

// shortError returns what is kept of a message.
func shortError(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxErrorBytes)], "") }

// reasonForm is that of a failure reason, of v2.2's own ones too.
var reasonForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// isObject reports whether a JSON value is an object, null or not there.
func isObject(raw json.RawMessage) bool {
	return len(raw) == 0 || raw[0] == '{' || string(raw) == "null"
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

// ResultResponse answers a result: "success", or "retrying" with the number of
// the retry that the job now waits for.
type ResultResponse struct {
	Status     string `json:"status"`
	Retry      int    `json:"retry,omitempty"`
	MaxRetries int    `json:"max_retries,omitempty"`
}
