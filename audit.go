package ffrtmp

import "time"

// AuditRecord describes one administrative write: who did what, to which target, when and from where.
type AuditRecord struct {
	ID        string    `json:"id"` // INDEX.N: Raft index, and number within that entry
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`          // id of a key, or "bootstrap"
	KeyName   string    `json:"key_name,omitempty"` // name of that key
	Source    string    `json:"source"`             // client address, as the receiving master saw it
	RequestID string    `json:"request_id"`
	Action    string    `json:"action"` // such as job.cancel
	Target    string    `json:"target,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Outcome   string    `json:"outcome"` // "ok", "requested", or an error code
}

// AuditList is the response of GET /audit, newest first.
type AuditList struct {
	Records    []AuditRecord `json:"records"`
	Count      int           `json:"count"` // len(Records)
	NextCursor string        `json:"next_cursor,omitempty"`
}

// AuditPage selects a page of the audit log. It starts at the newest record, or after Cursor,
// and goes back to Since.
type AuditPage struct {
	Since  time.Time // oldest record to return; zero: no bound
	Limit  int       // 0: DefaultLimit
	Cursor string    // NextCursor of the previous page; "": the first page
}
