package job

import "encoding/json"

// ClaimRequest is the body of POST /jobs/claim.
type ClaimRequest struct {
	NodeID string   `json:"node_id"`
	Max    int      `json:"max"`
	Wait   Duration `json:"wait"`
}

// ClaimResponse holds the attempts that the node now holds, each with its lease.
type ClaimResponse struct {
	Jobs []Job `json:"jobs"`
}

// Heartbeat is the body of POST /nodes/{id}/heartbeat. A v2.2 agent sends none.
// Only the attempts that it lists are renewed. With Wait, the answer comes when a
// command is due or Wait is over.
type Heartbeat struct {
	Attempts []AttemptReport `json:"attempts"`
	Wait     Duration        `json:"wait,omitempty"`
}

// AttemptReport is what an agent says of an attempt that it holds.
type AttemptReport struct {
	JobID     string    `json:"job_id"`
	Attempt   int       `json:"attempt"`
	Lease     string    `json:"lease"`
	Paused    bool      `json:"paused,omitempty"`
	Progress  int       `json:"progress"` // per cent
	Detail    *Progress `json:"progress_detail,omitempty"`
	LogTail   string    `json:"log_tail,omitempty"`   // log that is new
	LogOffset *int64    `json:"log_offset,omitempty"` // bytes of the attempt's log before LogTail; nil: all that was reported
}

// Verb is what a master asks of an agent.
type Verb string

// Commands to agents. Stop and Cancel both end ffmpeg; after Stop the attempt is
// no longer the node's, and nothing that it made may be published.
const (
	CommandCancel Verb = "cancel"
	CommandPause  Verb = "pause"
	CommandResume Verb = "resume"
	CommandStop   Verb = "stop"
)

// Command asks an agent to act on an attempt. Commands are repeated until the
// node's state agrees; carrying one out twice changes nothing.
type Command struct {
	Command Verb   `json:"command"`
	JobID   string `json:"job_id"`
	Attempt int    `json:"attempt"`
}

// HeartbeatResponse answers a heartbeat.
type HeartbeatResponse struct {
	Commands        []Command `json:"commands"`
	Masters         []string  `json:"masters"` // API URLs
	LeaseTTLSeconds float64   `json:"lease_ttl_seconds"`
	ReportSeconds   float64   `json:"report_seconds"` // how often a busy agent should report, by the size of the fleet
	ClusterID       string    `json:"cluster_id"`
}

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
	Metrics        json.RawMessage `json:"metrics,omitempty"`
	AnalyzerOutput json.RawMessage `json:"analyzer_output,omitempty"`

	Attempt int     `json:"attempt,omitempty"`
	Lease   string  `json:"lease,omitempty"`
	Output  *Output `json:"output,omitempty"`
}

// MaxResultJSONBytes bounds each of Metrics and AnalyzerOutput.
const MaxResultJSONBytes = 64 << 10

// Validate checks a result and cuts its log to the tail that is kept.
func (r *Result) Validate() error {
	switch {
	case r.JobID == "":
		return FieldErrorf("job_id", "is required")
	case r.NodeID == "":
		return FieldErrorf("node_id", "is required")
	case r.Attempt < 0:
		return FieldErrorf("attempt", "must not be negative")
	case len(r.Metrics) > MaxResultJSONBytes:
		return FieldErrorf("metrics", "is longer than %d bytes", MaxResultJSONBytes)
	case len(r.AnalyzerOutput) > MaxResultJSONBytes:
		return FieldErrorf("analyzer_output", "is longer than %d bytes", MaxResultJSONBytes)
	case len(r.FailureReason) > 64:
		return FieldErrorf("failure_reason", "is longer than 64 bytes")
	}
	switch r.Status {
	case ResultPublishing, ResultCompleted, ResultFailed, ResultCanceled:
	default:
		return FieldErrorf("status", "%q is not known; use publishing, completed, failed or canceled", r.Status)
	}
	r.Logs = LogTail(r.Logs)
	if len(r.Error) > 4096 {
		r.Error = r.Error[:4096]
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
