package agent

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// step is a point on an attempt's way. The agent may die between any two; the next
// one continues.
type step string

const (
	stepClaimed   step = "claimed"   // claim.json is written
	stepStarted   step = "started"   // the supervisor has started ffmpeg
	stepEnded     step = "ended"     // ffmpeg has ended
	stepDecided   step = "decided"   // the output is verified and outcome.json written
	stepSealed    step = "sealed"    // the masters will start no other attempt
	stepMoved     step = "moved"     // the output is in place
	stepDelivered step = "delivered" // the masters have accepted the result
	stepRemoved   step = "removed"   // the attempt's files are gone
)

func (a *Agent) reached(at *attempt, s step) {
	at.log.Trace("step", "step", s)
	if a.onStep != nil {
		a.onStep(at, s)
	}
}

// adopt adds an attempt to the node's slots.
func (a *Agent) adopt(j ffrtmp.Job) *attempt {
	at := &attempt{
		attemptID: idOf(&j), job: j, dir: a.state.attemptDir(idOf(&j)),
		log:    a.log.With("job", j.ID, "attempt", j.Attempt, "request_id", j.RequestID),
		listed: make(chan struct{}), gone: make(chan struct{}),
	}
	ctx, span := a.cfg.Tracer.Start(a.cfg.Tracer.Continue(a.work, j.Traceparent), "attempt",
		tracing.JobID.String(j.ID), tracing.Attempt.Int(j.Attempt), tracing.Scenario.String(j.Scenario),
		tracing.RequestID.String(j.RequestID))
	at.span = span
	at.ctx, at.end = context.WithCancelCause(ctx)
	a.slots.add(at)
	return at
}

// spawn runs the attempt until it is delivered or the agent stops.
func (a *Agent) spawn(at *attempt) {
	a.attempts.Go(func() {
		defer at.span.End()
		defer at.end(nil)
		defer a.slots.remove(at)
		a.runAttempt(at)
	})
}

// recoverAttempts continues the attempts of an earlier agent.
func (a *Agent) recoverAttempts() error {
	dirs, err := a.state.attemptDirs()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		j, err := d.claimed()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				a.log.Error("cannot read an attempt; removing it", "error", err)
			}
			if err := a.discardDir(d); err != nil {
				// One attempt must not keep the agent from running others.
				a.log.Error("cannot remove an attempt", "path", d.path, "error", err)
			}
			continue
		}
		at := a.adopt(j)
		at.span.Set(tracing.Resumed.Bool(true))
		at.log.Info("attempt recovered")
		a.spawn(at)
	}
	return nil
}

// discardDir stops and removes a directory that is not, or cannot be read as, an attempt.
func (a *Agent) discardDir(d attemptDir) error {
	if p, err := supervisor.Find(d.path); err == nil {
		ctx, cancel := context.WithTimeout(a.work, 10*time.Second)
		defer cancel()
		if _, err := p.Stop(ctx); err != nil {
			return err
		}
		if started, err := p.Config(); err == nil {
			a.removeWork(&started.Plan)
		}
	}
	return d.remove()
}
