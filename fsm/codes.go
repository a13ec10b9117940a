package fsm

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// The numbers that stand in the database and in commands for the words of
// package job. A list only ever grows at its end: a word's number never changes.
var (
	statusCodes      = []ffrtmp.Status{ffrtmp.Pending, ffrtmp.Running, ffrtmp.Paused, ffrtmp.Completed, ffrtmp.Failed, ffrtmp.Canceled}
	queueCodes       = []ffrtmp.Queue{ffrtmp.Live, ffrtmp.Default, ffrtmp.Batch}
	priorityCodes    = []ffrtmp.Priority{ffrtmp.High, ffrtmp.Medium, ffrtmp.Low}
	outcomeCodes     = []ffrtmp.Outcome{ffrtmp.AttemptRunning, ffrtmp.AttemptCompleted, ffrtmp.AttemptFailed, ffrtmp.AttemptLost, ffrtmp.AttemptCanceled, ffrtmp.AttemptTimedOut}
	eligibilityCodes = []ffrtmp.Eligibility{ffrtmp.Eligible, ffrtmp.Cordoned, ffrtmp.Draining}
	actionCodes      = []ffrtmp.Action{ffrtmp.Cancel, ffrtmp.Pause, ffrtmp.Resume, ffrtmp.Retry}
	resultCodes      = []ffrtmp.ResultStatus{ffrtmp.ResultPublishing, ffrtmp.ResultCompleted, ffrtmp.ResultFailed, ffrtmp.ResultCanceled}
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
