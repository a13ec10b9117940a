package ffrtmp

// DryRun is the response of POST /jobs?dry_run=true: the job that would be created, and the command that a node
// would run for it.
type DryRun struct {
	Job      Job      `json:"job"`     // its id is zero, its sequence_number 0
	Command  []string `json:"command"` // ffmpeg and its arguments, without secrets; empty if it would fail at the start
	Assumed  []string `json:"assumed"` // what the command depends on and only a look at the input shows
	Warnings []string `json:"warnings"`
	NodeID   string   `json:"node_id,omitempty"` // of the node that it is for; "": no node can run it
	NodeName string   `json:"node_name,omitempty"`
	Ahead    int      `json:"ahead"` // pending jobs that would be served first
	// EstimatedWaitSeconds is 0 if a node would start it at once, else what the jobs ahead take at the rate of the
	// last hour; nil: unknown, because nothing started or no node can run it.
	EstimatedWaitSeconds *float64 `json:"estimated_wait_seconds,omitempty"`
}
