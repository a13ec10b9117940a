package fsm

import (
	"slices"

	"ffrtmp/job"
)

// The numbers that stand in the database and in commands for the words of
// package job. A list only ever grows at its end: a word's number never changes.
var (
	statusCodes      = []job.Status{job.Pending, job.Running, job.Paused, job.Completed, job.Failed, job.Canceled}
	queueCodes       = []job.Queue{job.Live, job.Default, job.Batch}
	priorityCodes    = []job.Priority{job.High, job.Medium, job.Low}
	outcomeCodes     = []job.Outcome{job.AttemptRunning, job.AttemptCompleted, job.AttemptFailed, job.AttemptLost, job.AttemptCanceled, job.AttemptTimedOut}
	eligibilityCodes = []job.Eligibility{job.Eligible, job.Cordoned, job.Draining}
	actionCodes      = []job.Action{job.Cancel, job.Pause, job.Resume, job.Retry}
	resultCodes      = []job.ResultStatus{job.ResultPublishing, job.ResultCompleted, job.ResultFailed, job.ResultCanceled}
)

// code returns the number of a word. Words are validated before they reach the
// FSM, so an unknown one is a fault of the program.
func code[T ~string](list []T, word T) int64 {
	i := slices.Index(list, word)
	if i < 0 {
		panic("fsm: no code for " + string(word))
	}
	return int64(i)
}

// hold says how a job's newest attempt stands with its node.
type hold int64

const (
	holdNone   hold = 0 // over, or there is none
	holdActive hold = 1 // the node runs it
	holdSealed hold = 2 // the node publishes its output; it cannot be lost
	holdLost   hold = 3 // its lease ran out; the node may take it back until the next claim
)

// current reports whether the attempt goes on.
func (h hold) current() bool { return h == holdActive || h == holdSealed }
