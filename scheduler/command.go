package scheduler

import (
	"context"
	"slices"

	"ffrtmp/job"
)

// news reports whether the node has not been told one of the commands yet. Those that
// it has been told are repeated until it agrees, but each ends one wait only: an
// agent that takes its time, or never says that it is paused, must not spin.
func (t *term) news(n *node, commands []job.Command) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(commands, func(c job.Command) bool {
		return n.told[job.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] != c.Command
	})
}

// tell notes what the node is told now, and forgets attempts that it no longer lists.
func (t *term) tell(n *node, reports []job.AttemptReport, commands []job.Command) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.told) == 0 && len(commands) == 0 {
		return
	}
	told := make(map[job.AttemptRef]job.Verb, len(commands))
	for i := range reports {
		if verb, ok := n.told[refOf(&reports[i])]; ok {
			told[refOf(&reports[i])] = verb
		}
	}
	for _, c := range commands {
		told[job.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] = c.Command
	}
	n.told = told
}

func refOf(r *job.AttemptReport) job.AttemptRef {
	return job.AttemptRef{JobID: r.JobID, Attempt: r.Attempt}
}

// commands returns what the node is to do about the attempts that it lists, and a
// channel that is closed when that may have changed.
func (t *term) commands(ctx context.Context, n *node, reports []job.AttemptReport) ([]job.Command, <-chan struct{}, error) {
	commands := []job.Command{}
	var foreign []*job.AttemptReport
	add := func(r *job.AttemptReport, v job.Verb) {
		commands = append(commands, job.Command{Command: v, JobID: r.JobID, Attempt: r.Attempt})
	}
	t.mu.Lock()
	changed := n.changed
	for i := range reports {
		r := &reports[i]
		switch a := t.attempts[r.JobID]; {
		case !a.is(n, r.Attempt, r.Lease):
			foreign = append(foreign, r)
		case a.paused && r.Paused:
			delete(n.told, refOf(r))
		case a.paused:
			add(r, job.CommandPause)
		case r.Paused || n.told[refOf(r)] == job.CommandPause: // its agent may not say that it is paused
			add(r, job.CommandResume)
		}
	}
	t.mu.Unlock()
	for _, r := range foreign {
		verb, err := t.verdict(ctx, n, r)
		if err != nil {
			return nil, nil, err
		}
		if verb != "" {
			add(r, verb)
		}
	}
	return commands, changed, nil
}

// verdict is what to do with an attempt that is not watched as the node's. Nothing,
// when it is the node's after all, because it was lost or taken back just now, and
// when it was the node that has ended it.
func (t *term) verdict(ctx context.Context, n *node, r *job.AttemptReport) (job.Verb, error) {
	if len(t.heldBy(n, []*job.AttemptReport{r})) > 0 {
		return "", nil
	}
	j, err := t.cfg.State.Job(ctx, r.JobID)
	switch {
	case job.CodeOf(err) == job.NotFound:
		return job.CommandStop, nil
	case err != nil:
		return "", err
	case j.Status == job.Canceled:
		return job.CommandCancel, nil
	}
	ended := slices.ContainsFunc(j.Attempts, func(a job.Attempt) bool {
		return a.Attempt == r.Attempt && (a.Outcome == job.AttemptCompleted || a.Outcome == job.AttemptFailed)
	})
	if ended {
		return "", nil
	}
	return job.CommandStop, nil
}
