package ffrtmp

import (
	"fmt"
	"slices"
)

// Change is what a bulk request does to every job that it selects: an action, or a new priority.
type Change struct {
	Action   Action
	Priority Priority // of pending jobs, without an action
}

// String describes the change, for the audit log and for messages.
func (c Change) String() string {
	if c.Action != "" {
		return string(c.Action)
	}
	return fmt.Sprintf("set priority %s", c.Priority)
}

// From lists the states of the jobs that it changes. Others are left alone.
func (c Change) From() []Status {
	if c.Action == "" {
		return []Status{Pending}
	}
	return slices.DeleteFunc(slices.Clone(allowed[c.Action]), func(s Status) bool {
		return c.Action == Cancel && s == Canceled // which would change nothing
	})
}

// Narrow returns the statuses of s that it changes. It is false if there are none.
func (c Change) Narrow(s StatusSet) (StatusSet, bool) {
	narrow := slices.DeleteFunc(c.From(), func(status Status) bool { return !s.Has(status) })
	return StatusIn(narrow...), len(narrow) > 0
}

// Changed is the response of a bulk request.
type Changed struct {
	Count int `json:"count"` // jobs that were changed, or with dry_run would be
}
