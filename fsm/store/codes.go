package store

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// The numbers that the database and commands use for the words of the root package.
// Lists are append-only: a word's number never changes.
var (
	StatusCodes = []ffrtmp.Status{
		ffrtmp.Pending, ffrtmp.Running, ffrtmp.Paused, ffrtmp.Completed, ffrtmp.Failed,
		ffrtmp.Canceled,
	}
	QueueCodes    = []ffrtmp.Queue{ffrtmp.Live, ffrtmp.Default, ffrtmp.Batch}
	PriorityCodes = []ffrtmp.Priority{ffrtmp.High, ffrtmp.Medium, ffrtmp.Low}
	OutcomeCodes  = []ffrtmp.Outcome{
		ffrtmp.AttemptRunning, ffrtmp.AttemptCompleted, ffrtmp.AttemptFailed,
		ffrtmp.AttemptLost, ffrtmp.AttemptCanceled, ffrtmp.AttemptTimedOut,
	}
	EligibilityCodes = []ffrtmp.Eligibility{ffrtmp.Eligible, ffrtmp.Cordoned, ffrtmp.Draining}
	ActionCodes      = []ffrtmp.Action{ffrtmp.Cancel, ffrtmp.Pause, ffrtmp.Resume, ffrtmp.Retry}
	ResultCodes      = []ffrtmp.ResultStatus{
		ffrtmp.ResultPublishing, ffrtmp.ResultCompleted, ffrtmp.ResultFailed,
		ffrtmp.ResultCanceled,
	}
)

// The codes that statements name, in the order of StatusCodes and OutcomeCodes.
const (
	StatusPending int64 = iota
	StatusRunning
	StatusPaused
	StatusCompleted
	StatusFailed
	StatusCanceled
)

// Code returns the number of a word. Words are validated before they reach the
// FSM, so an unknown one is a bug.
func Code[T ~string](list []T, word T) int64 {
	i := slices.Index(list, word)
	if i < 0 {
		panic("store: no code for " + string(word))
	}
	return int64(i)
}

// Hold is the state of a job's newest attempt at its node.
type Hold int64

// Holds.
const (
	HoldNone   Hold = 0 // ended, or none
	HoldActive Hold = 1 // the node runs it
	HoldSealed Hold = 2 // the node publishes its output; it cannot be lost
	HoldLost   Hold = 3 // its lease expired; the node may reclaim it until the next claim
)

// Current reports whether the attempt is running.
func (h Hold) Current() bool { return h == HoldActive || h == HoldSealed }
