package ffrtmp

import "time"

// AuditRecord is one administrative write: who did what to what, when, from where.
type AuditRecord struct {
	ID        string    `json:"id"` // INDEX.N: Raft index and place in that entry
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`          // id of a key, or "bootstrap"
	KeyName   string    `json:"key_name,omitempty"` // of that key
	Source    string    `json:"source"`             // address of the client, as the master that it asked saw it
	RequestID string    `json:"request_id"`
	Action    string    `json:"action"` // such as job.cancel
	Target    string    `json:"target,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Outcome   string    `json:"outcome"` // "ok", "requested", or the code of the refusal
}

// AuditList is the answer to GET /audit, newest first.
type AuditList struct {
	Records    []AuditRecord `json:"records"`
	Count      int           `json:"count"` // of Records
	NextCursor string        `json:"next_cursor,omitempty"`
}

// AuditPage selects a page of the audit log: from the newest record, or from the
// one before the cursor, back to a time.
type AuditPage struct {
	Since  time.Time // zero: all
	Limit  int       // 0: DefaultLimit
	Cursor string    // AuditList.NextCursor of the page before
}
