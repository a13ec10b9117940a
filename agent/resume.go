package agent

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"ffrtmp/agent/supervisor"
	"ffrtmp/job"
)

// step is a point in an attempt's life. Between any two of them the agent may die,
// and the next one goes on.
type step string

const (
	stepClaimed   step = "claimed"   // claim.json is written
	stepStarted   step = "started"   // the supervisor runs ffmpeg, or has
	stepEnded     step = "ended"     // ffmpeg has ended
	stepDecided   step = "decided"   // verdict.json is written; the output is verified
	stepSealed    step = "sealed"    // the masters start no other attempt
	stepMoved     step = "moved"     // the output is in place
	stepDelivered step = "delivered" // the masters know the result
	stepForgotten step = "forgotten" // the attempt's files are gone
)

func (a *Agent) passed(at *attempt, s step) {
	a.log.Trace("step", "job", at.jobID, "attempt", at.attempt, "step", s)
	if a.onStep != nil {
		a.onStep(at, s)
	}
}

// adopt makes the attempt one of the node's.
func (a *Agent) adopt(j job.Job) *attempt {
	at := &attempt{
		key: keyOf(&j), job: j, record: a.state.record(keyOf(&j)),
		listed: make(chan struct{}), gone: make(chan struct{}),
	}
	at.ctx, at.end = context.WithCancelCause(a.work)
	a.slots.add(at)
	return at
}

// spawn has the attempt live until it is delivered or the agent leaves.
func (a *Agent) spawn(at *attempt) {
	a.lives.Go(func() {
		defer at.end(nil)
		defer a.slots.remove(at)
		a.live(at)
	})
}

// resume takes up the attempts of an earlier agent.
func (a *Agent) resume() error {
	records, err := a.state.records()
	if err != nil {
		return err
	}
	for _, r := range records {
		j, err := r.claimed()
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				a.log.Error("an attempt cannot be read and is given up", "error", err)
			}
			if err := a.abandon(r); err != nil {
				return err
			}
			continue
		}
		a.log.Info("taking an attempt up again", "job", j.ID, "attempt", j.Attempt)
		a.spawn(a.adopt(j))
	}
	return nil
}

// abandon ends and removes what is no attempt of ours, or cannot be known to be one.
func (a *Agent) abandon(r record) error {
	if p, err := supervisor.Find(r.dir); err == nil {
		ctx, cancel := context.WithTimeout(a.work, 10*time.Second)
		defer cancel()
		if _, err := p.Stop(ctx); err != nil {
			return err
		}
		if started, err := p.Attempt(); err == nil && started.Plan.Work != nil {
			if err := started.Plan.Work.Remove(); err != nil {
				return err
			}
		}
	}
	return r.forget()
}
