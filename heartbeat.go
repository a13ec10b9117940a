package ffrtmp

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
	Progress  float64   `json:"progress"` // per cent; a job shows whole ones
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
