package ffrtmp

import "slices"

// Status is the state of a job.
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

// Statuses lists every status, first to last.
var Statuses = []Status{Pending, Running, Paused, Completed, Failed, Canceled}

// Terminal reports whether a job in this state has ended. Only a retry starts it again.
func (s Status) Terminal() bool { return s == Completed || s == Failed || s == Canceled }

// Valid reports whether s is one of Statuses.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// Action is a user's request to change the state of a job.
type Action string

// The actions that the API offers on a single job.
const (
	Cancel Action = "cancel"
	Pause  Action = "pause"
	Resume Action = "resume"
	Retry  Action = "retry"
)

// allowed lists the states in which each action is allowed.
var allowed = map[Action][]Status{
	Cancel: {Pending, Running, Paused, Canceled},
	Pause:  {Pending, Running},
	Resume: {Paused},
	Retry:  {Failed, Canceled},
}

// Allows reports whether the action may be taken on a job in state s.
// Canceling a canceled job is allowed and changes nothing.
func (s Status) Allows(a Action) bool { return slices.Contains(allowed[a], s) }
