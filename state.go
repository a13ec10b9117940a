package ffrtmp

import "slices"

// Status is where a job stands.
type Status string

// The six states of a job; Completed, Failed and Canceled are terminal.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Paused    Status = "paused"
	Completed Status = "completed"
	Failed    Status = "failed"
	Canceled  Status = "canceled"
)

// Statuses lists every status in the order of a job's life.
var Statuses = []Status{Pending, Running, Paused, Completed, Failed, Canceled}

// Terminal reports whether a job in this state is over, unless a user retries it.
func (s Status) Terminal() bool { return s == Completed || s == Failed || s == Canceled }

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// Action is what a user asks of a job.
type Action string

// The actions that the API offers on a single job.
const (
	Cancel Action = "cancel"
	Pause  Action = "pause"
	Resume Action = "resume"
	Retry  Action = "retry"
)

// allowed is the state table: the states in which an action may begin.
var allowed = map[Action][]Status{
	Cancel: {Pending, Running, Paused, Canceled},
	Pause:  {Pending, Running},
	Resume: {Paused},
	Retry:  {Failed, Canceled},
}

// Allows reports whether the action may be taken on a job in state s.
// Canceling a canceled job is allowed and changes nothing.
func (s Status) Allows(a Action) bool { return slices.Contains(allowed[a], s) }
