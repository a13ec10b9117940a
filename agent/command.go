package agent

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// execute starts a command and returns. Masters repeat a command until the node's
// state agrees with it, so failures need no memory here.
func (a *Agent) execute(ctx context.Context, at *attempt, verb ffrtmp.Verb) {
	switch verb {
	case ffrtmp.CommandCancel, ffrtmp.CommandStop:
		at.end(&stopError{verb})
	case ffrtmp.CommandPause, ffrtmp.CommandResume:
		if !at.beginChange() {
			return
		}
		a.background.Go(func() {
			defer at.endChange()
			a.suspend(ctx, at, verb)
		})
	default:
		a.log.Warn("unknown command", "command", verb)
	}
}

func (a *Agent) suspend(ctx context.Context, at *attempt, verb ffrtmp.Verb) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	p, act := at.running(), at.running().Pause
	if verb == ffrtmp.CommandResume {
		act = p.Resume
	}
	if err := act(ctx); err != nil {
		a.log.Error("command failed", "command", verb, "job", at.jobID, "attempt", at.attempt, "error", err)
		return
	}
	a.log.Info("command done", "command", verb, "job", at.jobID, "attempt", at.attempt)
	a.wake()
}
