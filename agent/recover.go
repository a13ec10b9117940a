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

// step is a point in an attempt's life. Between any two of them the agent may die,
// and the next one goes on.
type step string

const (
	stepClaimed   step = "claimed"   // claim.json is written
	stepStarted   step = "started"   // the supervisor runs ffmpeg, or has
	stepEnded     step = "ended"     // ffmpeg has ended
	stepDecided   step = "decided"   // outcome.json is written; the output is verified
	stepSealed    step = "sealed"    // the masters start no other attempt
	stepMoved     step = "moved"     // the output is in place
	stepDelivered step = "delivered" // the masters know the result
	stepRemoved   step = "removed"   // the attempt's files are gone
)

func (a *Agent) reached(at *attempt, s step) {
	at.log.Trace("step", "step", s)
	if a.onStep != nil {
		a.onStep(at, s)
	}
}

// adopt makes the attempt one of the node's.
func (a *Agent) adopt(j ffrtmp.Job) *attempt {
	at := &attempt{
		attemptID: idOf(&j), job: j, dir: a.state.attemptDir(idOf(&j)),
		log:    a.log.With("job", j.ID, "attempt", j.Attempt, "request_id", j.RequestID),
		listed: make(chan struct{}), gone: make(chan struct{}),
	}
	ctx, span := a.cfg.Tracer.Start(a.cfg.Tracer.Continue(a.work, j.Traceparent), "attempt",
		tracing.JobID.String(j.ID), tracing.Attempt.Int(j.Attempt), tracing.Scenario.String(j.Scenario), tracing.RequestID.String(j.RequestID))
	at.span = span
	at.ctx, at.end = context.WithCancelCause(ctx)
	a.slots.add(at)
	return at
}

// spawn has the attempt live until it is delivered or the agent leaves.
func (a *Agent) spawn(at *attempt) {
	a.attempts.Go(func() {
		defer at.span.End()
		defer at.end(nil)
		defer a.slots.remove(at)
		a.runAttempt(at)
	})
}

// recoverAttempts takes up the attempts of an earlier agent.
func (a *Agent) recoverAttempts() error {
	dirs, err := a.state.attemptDirs()
	if err != nil {
		return err
	}
	for _, d := range dirs {
		j, err := d.claimed()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				a.log.Error("an attempt cannot be read and is given up", "error", err)
			}
			if err := a.discardDir(d); err != nil {
				return err
			}
			continue
		}
		at := a.adopt(j)
		at.span.Set(tracing.Resumed.Bool(true))
		at.log.Info("taking an attempt up again")
		a.spawn(at)
	}
	return nil
}

// discardDir ends and removes what is no attempt of ours, or cannot be known to be one.
func (a *Agent) discardDir(d attemptDir) error {
	if p, err := supervisor.Find(d.path); err == nil {
		ctx, cancel := context.WithTimeout(a.work, 10*time.Second)
		defer cancel()
		if _, err := p.Stop(ctx); err != nil {
			return err
		}
		if started, err := p.Config(); err == nil {
			a.removeWork(started.Plan.Work)
		}
	}
	return d.remove()
}
