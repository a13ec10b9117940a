package ffrtmp

import "slices"

// Filter selects jobs. Zero fields select everything.
type Filter struct {
	Status   Status   `json:"status,omitempty"`
	Queue    Queue    `json:"queue,omitempty"`
	Priority Priority `json:"priority,omitempty"`
	Scenario string   `json:"scenario,omitempty"`
	NodeID   string   `json:"node_id,omitempty"`
	Label    string   `json:"label,omitempty"` // key or key=value
}

// Validate returns an error that names the first field with an unknown value.
func (f *Filter) Validate() error {
	if f.Status != "" && !f.Status.Valid() {
		return FieldErrorf("status", "unknown value %q; use pending, running, paused, completed, failed or canceled", f.Status)
	}
	if f.Queue != "" {
		if err := validateQueue(f.Queue); err != nil {
			return err
		}
	}
	if f.Priority != "" {
		return validatePriority(f.Priority)
	}
	return nil
}

// IsZero reports whether f selects every job.
func (f *Filter) IsZero() bool { return *f == Filter{} }

// Order is the order of a list: by sequence number.
type Order string

// Orders. Newest first is the default.
const (
	Ascending  Order = "asc"
	Descending Order = "desc"
)

// Page limits.
const (
	DefaultLimit = 1000
	MaxLimit     = 10_000
)

// Page selects one page of a list. The cursor is opaque to clients; it is the
// sequence number after which the page begins, so that a page never repeats or
// skips a job whatever is submitted meanwhile.
type Page struct {
	Limit  int
	Cursor uint64 // 0: from the start
	Order  Order
}

// Validate checks a page and fills in the defaults.
func (p *Page) Validate() error {
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	if p.Limit < 1 || p.Limit > MaxLimit {
		return FieldErrorf("limit", "must be between 1 and %d", MaxLimit)
	}
	if p.Order == "" {
		p.Order = Descending
	}
	if !slices.Contains([]Order{Ascending, Descending}, p.Order) {
		return FieldErrorf("order", "unknown value %q; use asc or desc", p.Order)
	}
	return nil
}

// List is the answer to GET /jobs. Logs and attempts are left out of its jobs.
type List struct {
	Jobs       []Job  `json:"jobs"`
	Count      int    `json:"count"` // of Jobs
	NextCursor string `json:"next_cursor,omitempty"`
}
