package ffrtmp

// Heartbeat is the body of POST /nodes/{id}/heartbeat; a v2.2 agent sends an empty one. It renews
// the leases of the attempts listed. With Wait, the master answers when it has a command, or
// after Wait.
type Heartbeat struct {
	Attempts []AttemptReport `json:"attempts"`
	Wait     Duration        `json:"wait,omitempty"`
}

// AttemptReport is an agent's report on an attempt it runs.
type AttemptReport struct {
	JobID     string    `json:"job_id"`
	Attempt   int       `json:"attempt"`
	Lease     string    `json:"lease"`
	Paused    bool      `json:"paused,omitempty"`
	Progress  float64   `json:"progress"` // 0 to 100
	Detail    *Progress `json:"progress_detail,omitempty"`
	LogTail   string    `json:"log_tail,omitempty"`   // log since the previous report
	LogOffset *int64    `json:"log_offset,omitempty"` // bytes before LogTail; nil: after the previous report
}

// Verb is the kind of a Command.
type Verb string

// Commands to agents. Cancel and Stop both stop ffmpeg. Stop also means that the node's lease is
// stale: it must not publish the attempt's output.
const (
	CommandCancel Verb = "cancel"
	CommandPause  Verb = "pause"
	CommandResume Verb = "resume"
	CommandStop   Verb = "stop"
)

// Command tells an agent to act on an attempt. A master repeats a command until the node reports
// the wanted state. Commands are idempotent.
type Command struct {
	Command Verb   `json:"command"`
	JobID   string `json:"job_id"`
	Attempt int    `json:"attempt"`
}

// HeartbeatResponse is the response to a heartbeat.
type HeartbeatResponse struct {
	Commands        []Command `json:"commands"`
	Masters         []string  `json:"masters"` // API URLs of all masters
	LeaseTTLSeconds float64   `json:"lease_ttl_seconds"`
	ReportSeconds   float64   `json:"report_seconds"` // interval between a busy agent's reports; grows with the cluster
	ClusterID       string    `json:"cluster_id"`
	FormerClusters  []string  `json:"former_cluster_ids,omitempty"` // see Registered
}
