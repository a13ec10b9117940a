package leader

import (
	"context"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// hasNew reports whether one of the commands has not been sent to the node yet. A command is
// repeated until the node reports the wanted state, but it ends only one wait: otherwise an
// agent that is slow to act would poll without pause.
func (t *term) hasNew(n *node, commands []ffrtmp.Command) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(commands, func(c ffrtmp.Command) bool {
		return n.sent[ffrtmp.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] != c.Command
	})
}

// recordSent records what is sent to the node now, and forgets attempts that it no longer
// lists.
func (t *term) recordSent(n *node, reports []ffrtmp.AttemptReport, commands []ffrtmp.Command) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(n.sent) == 0 && len(commands) == 0 {
		return
	}
	sent := make(map[ffrtmp.AttemptRef]ffrtmp.Verb, len(commands))
	for i := range reports {
		if verb, ok := n.sent[refOf(&reports[i])]; ok {
			sent[refOf(&reports[i])] = verb
		}
	}
	for _, c := range commands {
		sent[ffrtmp.AttemptRef{JobID: c.JobID, Attempt: c.Attempt}] = c.Command
	}
	n.sent = sent
}

func refOf(r *ffrtmp.AttemptReport) ffrtmp.AttemptRef {
	return ffrtmp.AttemptRef{JobID: r.JobID, Attempt: r.Attempt}
}

// commands returns the commands for the attempts that the node lists, and a channel that
// is closed when they may have changed.
func (t *term) commands(ctx context.Context, n *node,
	reports []ffrtmp.AttemptReport,
) ([]ffrtmp.Command, <-chan struct{}, error) {
	commands := []ffrtmp.Command{}
	var stray []*ffrtmp.AttemptReport
	add := func(r *ffrtmp.AttemptReport, v ffrtmp.Verb) {
		commands = append(commands, ffrtmp.Command{Command: v, JobID: r.JobID, Attempt: r.Attempt})
	}
	t.mu.Lock()
	changed := n.changed
	for i := range reports {
		r := &reports[i]
		switch a := t.attempts[r.JobID]; {
		case !a.is(n, r.Attempt, r.Lease):
			stray = append(stray, r)
		case a.paused() && r.Paused:
			delete(n.sent, refOf(r))
		case a.paused():
			add(r, ffrtmp.CommandPause)
		case r.Paused || n.sent[refOf(r)] == ffrtmp.CommandPause: // some agents do not report a pause
			add(r, ffrtmp.CommandResume)
		}
	}
	t.mu.Unlock()
	for _, r := range stray {
		verb, err := t.strayCommand(ctx, n, r)
		if err != nil {
			return nil, nil, err
		}
		if verb != "" {
			add(r, verb)
		}
	}
	return commands, changed, nil
}

// strayCommand is the command for an attempt that the leader does not watch as the node's:
// none when the node has just reclaimed it or has ended it itself.
func (t *term) strayCommand(ctx context.Context, n *node, r *ffrtmp.AttemptReport) (ffrtmp.Verb, error) {
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
