package leader

import (
	"context"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// news reports whether the node has not been told one of the commands yet. Those that
// it has been told are repeated until it agrees, but each ends one wait only: an
// agent that takes its time, or never says that it is paused, must not spin.
func (t *term) news(n *node, commands []ffrtmp.Command) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(commands, func(c ffrtmp.Command) bool {
		return n.told[ffrtmp.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] != c.Command
	})
}

// tell notes what the node is told now, and forgets attempts that it no longer lists.
func (t *term) tell(n *node, reports []ffrtmp.AttemptReport, commands []ffrtmp.Command) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.told) == 0 && len(commands) == 0 {
		return
	}
	told := make(map[ffrtmp.AttemptRef]ffrtmp.Verb, len(commands))
	for i := range reports {
		if verb, ok := n.told[refOf(&reports[i])]; ok {
			told[refOf(&reports[i])] = verb
		}
	}
	for _, c := range commands {
		told[ffrtmp.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] = c.Command
	}
	n.told = told
}

func refOf(r *ffrtmp.AttemptReport) ffrtmp.AttemptRef {
	return ffrtmp.AttemptRef{JobID: r.JobID, Attempt: r.Attempt}
}

// commands returns what the node is to do about the attempts that it lists, and a
// channel that is closed when that may have changed.
func (t *term) commands(ctx context.Context, n *node, reports []ffrtmp.AttemptReport) ([]ffrtmp.Command, <-chan struct{}, error) {
	commands := []ffrtmp.Command{}
	var foreign []*ffrtmp.AttemptReport
	add := func(r *ffrtmp.AttemptReport, v ffrtmp.Verb) {
		commands = append(commands, ffrtmp.Command{Command: v, JobID: r.JobID, Attempt: r.Attempt})
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
			add(r, ffrtmp.CommandPause)
		case r.Paused || n.told[refOf(r)] == ffrtmp.CommandPause: // its agent may not say that it is paused
			add(r, ffrtmp.CommandResume)
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
func (t *term) verdict(ctx context.Context, n *node, r *ffrtmp.AttemptReport) (ffrtmp.Verb, error) {
	if len(t.heldBy(n, []*ffrtmp.AttemptReport{r})) > 0 {
		return "", nil
	}
	j, err := t.cfg.State.Job(ctx, r.JobID)
	switch {
	case ffrtmp.CodeOf(err) == ffrtmp.NotFound:
		return ffrtmp.CommandStop, nil
	case err != nil:
		return "", err
	case j.Status == ffrtmp.Canceled:
		return ffrtmp.CommandCancel, nil
	}
	ended := slices.ContainsFunc(j.Attempts, func(a ffrtmp.Attempt) bool {
		return a.Attempt == r.Attempt && (a.Outcome == ffrtmp.AttemptCompleted || a.Outcome == ffrtmp.AttemptFailed)
	})
	if ended {
		return "", nil
	}
	return ffrtmp.CommandStop, nil
}
