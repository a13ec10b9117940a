package v22

import (
	"regexp"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// transition is an entry of the column state_transitions. Some paths of v2.2 only record that a job was assigned.
type transition struct {
	To        string    `json:"to"`
	Timestamp time.Time `json:"timestamp"`
	Reason    string    `json:"reason"`
}

// endings are the outcomes of runs by the status that ended them. Another assignment ends a run, too.
var endings = map[string]ffrtmp.Outcome{
	"completed": ffrtmp.AttemptCompleted, "failed": ffrtmp.AttemptFailed, "timed_out": ffrtmp.AttemptTimedOut,
	"canceled": ffrtmp.AttemptCanceled, "retrying": ffrtmp.AttemptFailed, "queued": ffrtmp.AttemptFailed,
	"pending": ffrtmp.AttemptFailed,
}

var assignedTo = regexp.MustCompile(`node ([0-9a-f-]{36})`)

// runs returns the runs that the transitions record, without numbers. A run that no transition ends has no end.
func (r record) runs() ([]ffrtmp.Attempt, error) {
	var transitions []transition
	if err := r.json("state_transitions", &transitions); err != nil {
		return nil, err
	}
	var runs []ffrtmp.Attempt
	open := false
	end := func(t *transition, outcome ffrtmp.Outcome, reason string) {
		if open {
			last := &runs[len(runs)-1]
			last.EndedAt, last.Outcome, last.Error = t.Timestamp.UTC(), outcome, reason
			open = false
		}
	}
	for i := range transitions {
		t := &transitions[i]
		outcome, ends := endings[t.To]
		switch {
		case t.Timestamp.IsZero():
		case ends:
			end(t, outcome, failureText(outcome, t.Reason))
		case t.To == "assigned", t.To != "paused" && !open && statuses[t.To] == ffrtmp.Pending:
			end(t, ffrtmp.AttemptFailed, "")
			run := ffrtmp.Attempt{StartedAt: t.Timestamp.UTC(), Outcome: ffrtmp.AttemptFailed}
			if node := assignedTo.FindStringSubmatch(t.Reason); node != nil {
				run.NodeID = node[1]
			}
			runs, open = append(runs, run), true
		}
	}
	return runs, nil
}

func failureText(outcome ffrtmp.Outcome, reason string) string {
	if outcome == ffrtmp.AttemptCompleted || outcome == ffrtmp.AttemptCanceled {
		return ""
	}
	return ffrtmp.ShortError(reason)
}

// addRuns completes the job's attempts: from the last one, which comes from the row, back to the first one.
func addRuns(j *ffrtmp.ImportedJob, runs []ffrtmp.Attempt) {
	last := j.LastAttempt
	switch n := len(runs); {
	case n == 0 && last == nil:
		return
	case n > 0:
		newest := runs[n-1]
		runs = runs[:n-1]
		if last == nil {
			last = &newest
			if last.Outcome == ffrtmp.AttemptCompleted {
				last.Outcome = ffrtmp.AttemptLost // the job was not completed
			}
			j.LastAttempt = last
		}
		complete(last, &newest)
		last.Attempt = max(last.Attempt, n)
	}
	earlier := numbered(runs, last.Attempt)
	first := append(slices.Clone(earlier), *last)[0]
	earlier = append(unrecorded(j, last.Attempt-1-len(earlier), first.StartedAt), earlier...)
	j.EarlierAttempts = earlier[max(0, len(earlier)-ffrtmp.MaxEarlierAttempts):]
}

// complete sets what the row does not say of its last run.
func complete(last, run *ffrtmp.Attempt) {
	if last.NodeID == "" {
		last.NodeID = run.NodeID
	}
	if last != run && run.StartedAt.After(last.StartedAt) {
		last.StartedAt = run.StartedAt // the row has lost it when the job waits for a retry
	}
	last.EndedAt = firstOf(last.EndedAt, run.EndedAt, last.StartedAt)
	if last.EndedAt.Before(last.StartedAt) {
		last.EndedAt = firstOf(run.EndedAt, last.StartedAt)
	}
}

// numbered numbers the runs before one, and ends those that have no end where the next one starts.
func numbered(runs []ffrtmp.Attempt, before int) []ffrtmp.Attempt {
	for i := range runs {
		runs[i].Attempt = before - len(runs) + i
		if runs[i].EndedAt.IsZero() {
			runs[i].EndedAt = runs[i].StartedAt
		}
	}
	return runs
}

// unrecorded are the first count runs, if v2.2 has only counted the retries: they ran between the job's creation
// and the next run. A count that v2.2 cannot have reached is not believed.
func unrecorded(j *ffrtmp.ImportedJob, count int, until time.Time) []ffrtmp.Attempt {
	if count > maxRetries {
		return nil
	}
	list := make([]ffrtmp.Attempt, 0, count)
	for i := range count {
		list = append(list, ffrtmp.Attempt{
			Attempt: i + 1, Outcome: ffrtmp.AttemptFailed, StartedAt: j.CreatedAt, EndedAt: until,
			Error: "v2.2 has not recorded this run: it was between these times",
		})
	}
	return list
}
