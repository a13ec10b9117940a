package ffrtmp

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// StatusSet is a set of statuses, separated by commas. The empty set selects every status.
type StatusSet string

// StatusIn returns the set of some statuses.
func StatusIn(statuses ...Status) StatusSet {
	words := make([]string, len(statuses))
	for i, s := range statuses {
		words[i] = string(s)
	}
	return StatusSet(strings.Join(words, ","))
}

// List returns the statuses of the set.
func (s StatusSet) List() []Status {
	if s == "" {
		return nil
	}
	var list []Status
	for word := range strings.SplitSeq(string(s), ",") {
		list = append(list, Status(word))
	}
	return list
}

// Has reports whether the set selects a status.
func (s StatusSet) Has(status Status) bool {
	if s == "" {
		return true
	}
	for word := range strings.SplitSeq(string(s), ",") {
		if word == string(status) {
			return true
		}
	}
	return false
}

// Filter selects jobs. An empty field matches every job.
type Filter struct {
	Status        StatusSet `json:"status,omitempty"`
	Queue         Queue     `json:"queue,omitempty"`
	Priority      Priority  `json:"priority,omitempty"`
	Scenario      string    `json:"scenario,omitempty"`
	NodeID        string    `json:"node_id,omitempty"`
	Label         string    `json:"label,omitempty"` // key or key=value
	CreatedAfter  time.Time `json:"created_after,omitzero"`
	CreatedBefore time.Time `json:"created_before,omitzero"`
	Text          string    `json:"q,omitempty"` // in id, label or path, in any case
}

// maxTextBytes bounds Filter.Text.
const maxTextBytes = 256

// Validate returns an error that names the first field with an unknown value.
func (f *Filter) Validate() error {
	for _, s := range f.Status.List() {
		if !s.Valid() {
			return FieldErrorf("status",
				"unknown value %q; use pending, running, paused, completed, failed or canceled", s)
		}
	}
	if f.Queue != "" {
		if err := validateQueue(&f.Queue); err != nil {
			return err
		}
	}
	if f.Priority != "" {
		if err := validatePriority(&f.Priority); err != nil {
			return err
		}
	}
	if !f.CreatedAfter.IsZero() && !f.CreatedBefore.IsZero() && !f.CreatedAfter.Before(f.CreatedBefore) {
		return FieldErrorf("created_before", "must be later than created_after")
	}
	return checkLength("q", f.Text, maxTextBytes)
}

// IsZero reports whether f selects every job.
func (f *Filter) IsZero() bool { return *f == Filter{} }

// Matches reports whether f selects a job. Secrets in its parameters are not searched.
func (f *Filter) Matches(j *Job) bool {
	return f.Status.Has(j.Status) &&
		(f.Queue == "" || f.Queue == j.Queue) &&
		(f.Priority == "" || f.Priority == j.Priority) &&
		(f.Scenario == "" || f.Scenario == j.Scenario) &&
		(f.NodeID == "" || f.NodeID == j.NodeID) &&
		(f.CreatedAfter.IsZero() || !j.CreatedAt.Before(f.CreatedAfter)) &&
		(f.CreatedBefore.IsZero() || j.CreatedAt.Before(f.CreatedBefore)) &&
		f.matchesLabel(j.Labels) && f.matchesText(j)
}

func (f *Filter) matchesLabel(labels map[string]string) bool {
	key, value, exact := strings.Cut(f.Label, "=")
	if key == "" && !exact {
		return true
	}
	have, ok := labels[key]
	return ok && (!exact || have == value)
}

func (f *Filter) matchesText(j *Job) bool {
	if f.Text == "" {
		return true
	}
	text := strings.ToLower(f.Text)
	contains := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	for key, value := range j.Labels {
		if contains(key + "=" + value) {
			return true
		}
	}
	var paths struct {
		Input  string `json:"input"`
		Output string `json:"output"`
	}
	_ = json.Unmarshal(RedactParameters(j.Parameters), &paths) // without parameters there are no paths
	return contains(j.ID) || contains(paths.Input) || contains(paths.Output)
}

// Sort is what a list is sorted by. Jobs that it does not distinguish are sorted by sequence number.
type Sort string

// Sorts. SortCreated, by sequence number, is the default.
const (
	SortCreated  Sort = "created"
	SortPriority Sort = "priority"
	SortProgress Sort = "progress" // as last replicated: the leader's live figures are up to 30 s ahead
)

// Sorts lists every Sort.
var Sorts = []Sort{SortCreated, SortPriority, SortProgress}

// Order is the direction of a list.
type Order string

// Orders. Descending, the default, begins with the newest job, the highest priority, the most progress.
const (
	Ascending  Order = "asc"
	Descending Order = "desc"
)

// Number of jobs in a page.
const (
	DefaultLimit = 1000
	MaxLimit     = 10_000
)

// Page selects one page of a list. The cursor, opaque to clients, is the sort key after which the page
// begins: sorted by creation, pages never repeat or skip a job, even if jobs are submitted meanwhile.
type Page struct {
	Limit  int
	Cursor uint64 // 0: from the start
	Sort   Sort
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
	if p.Sort == "" {
		p.Sort = SortCreated
	}
	if !slices.Contains(Sorts, p.Sort) {
		return FieldErrorf("sort", "unknown value %q; use created, priority or progress", p.Sort)
	}
	return nil
}

// List is the response of GET /jobs. Its jobs have neither logs nor attempts. It may have fewer jobs than the page's
// limit, even none: only an empty NextCursor ends the list.
type List struct {
	Jobs       []Job  `json:"jobs"`
	Count      int    `json:"count"`           // len(Jobs)
	Total      *int   `json:"total,omitempty"` // of all pages, if the query asks for it
	NextCursor string `json:"next_cursor,omitempty"`
}
