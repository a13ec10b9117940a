package ffrtmp

import "slices"

// Filter selects jobs. An empty field matches every job.
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
		return FieldErrorf("status", "unknown value %q; use pending, running, paused, completed, failed or canceled",
			f.Status)
	}
	if f.Queue != "" {
		if err := validateQueue(&f.Queue); err != nil {
			return err
		}
	}
	if f.Priority != "" {
		return validatePriority(&f.Priority)
	}
	return nil
}

// IsZero reports whether f selects every job.
func (f *Filter) IsZero() bool { return *f == Filter{} }

// Order is the direction of a list by sequence number.
type Order string

// Orders. Descending, newest first, is the default.
const (
	Ascending  Order = "asc"
	Descending Order = "desc"
)

// Number of jobs in a page.
const (
	DefaultLimit = 1000
	MaxLimit     = 10_000
)

// Page selects one page of a list. The cursor, opaque to clients, is the sequence number after
// which the page begins: pages never repeat or skip a job, even if jobs are submitted meanwhile.
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
	if err := checkRange("limit", p.Limit, 1, MaxLimit); err != nil {
		return err
	}
	if p.Order == "" {
		p.Order = Descending
	}
	if !slices.Contains([]Order{Ascending, Descending}, p.Order) {
		return FieldErrorf("order", "unknown value %q; use asc or desc", p.Order)
	}
	return nil
}

// List is the response of GET /jobs. Its jobs have neither logs nor attempts.
type List struct {
	Jobs       []Job  `json:"jobs"`
	Count      int    `json:"count"` // len(Jobs)
	NextCursor string `json:"next_cursor,omitempty"`
}
