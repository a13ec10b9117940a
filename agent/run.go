package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// errLeaving ends attempts' contexts when the agent ends; their ffmpeg goes on.
var errLeaving = errors.New("the agent is leaving")

// runAttempt sees an attempt through to its end. What fails on this machine meanwhile
// (a full state directory, say) is tried again: every step starts from the files.
func (a *Agent) runAttempt(at *attempt) {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := a.advance(at)
		var refused *refusedError
		switch {
		case a.work.Err() != nil:
			if err != nil {
				at.span.Set(tracing.Result.String("left to the next agent"))
			}
			return
		case err == nil:
			err = a.remove(at)
		case at.stopCommand() != nil:
			at.log.Info("attempt ended by the masters", "verb", at.stopCommand().verb)
			at.span.Fail(at.stopCommand().Error())
			err = a.discard(at, at.stopCommand().verb == ffrtmp.CommandCancel)
		case errors.As(err, &refused):
			at.log.Warn("attempt is no longer ours", "reason", refused.err)
			at.span.Fail("the masters refused the result")
			err = a.discard(at, false)
		}
		if err == nil {
			return
		}
		at.log.Error("attempt does not get on, trying again", "error", err)
		if ctxtime.Sleep(a.work, pause) != nil {
			return
		}
	}
}

// advance takes the attempt from wherever its files say that it is to the masters'
// knowing how it ended.
func (a *Agent) advance(at *attempt) error {
	if forgotten, err := at.dir.removed(); forgotten || err != nil {
		return err
	}
	if at.ctx.Err() != nil {
		return context.Cause(at.ctx)
	}
	o, err := at.dir.outcome()
	if err != nil {
		return err
	}
	if o == nil {
		if o, err = a.encode(at); err != nil {
			return err
		}
		if err := at.dir.saveOutcome(o); err != nil {
			return err
		}
		a.reached(at, stepDecided)
	}
	return a.submitResult(at, o)
}

// encode runs ffmpeg to its end, or finds it running or ended, and judges it. Its
// error means that it could not be judged yet.
func (a *Agent) encode(at *attempt) (*outcome, error) {
	p, err := supervisor.Find(at.dir.path)
	switch {
	case errors.Is(err, supervisor.ErrNotStarted):
		at.enter(startingPhase)
		if p, err = a.start(at); err != nil {
			if at.ctx.Err() != nil {
				return nil, context.Cause(at.ctx)
			}
			return a.failed(at, err), nil
		}
	case err != nil:
		return nil, err
	default:
		if o, err := a.returnLost(at, p); o != nil || err != nil {
			return o, err
		}
	}
	at.attach(p)
	a.reached(at, stepStarted)
	exit, err := p.Wait(at.ctx)
	if err != nil {
		return nil, err
	}
	a.reached(at, stepEnded)
	a.cfg.Tracer.Ran(at.ctx, "encode", exit.StartedAt, exit.EndedAt)
	return a.judge(at, exit)
}

// returnLost gives back what went down together with an earlier agent, as when the
// machine was restarted: that is no failure of the job's and uses up no retry.
func (a *Agent) returnLost(at *attempt, p *supervisor.Process) (*outcome, error) {
	st, err := p.State()
	if err != nil || st.Exit == nil || st.Exit.End != supervisor.Lost {
		return nil, err
	}
	at.attach(p)
	o := a.newOutcome(at, ffrtmp.ResultCanceled)
	o.Result.Error = st.Exit.Error
	return o, nil
}

// judge turns the end of ffmpeg into a result.
func (a *Agent) judge(at *attempt, exit supervisor.Exit) (*outcome, error) {
	switch exit.End {
	case supervisor.Succeeded:
		at.enter(verifyingPhase)
		_, span := a.cfg.Tracer.Start(at.ctx, "verify")
		o, err := a.verify(at, exit)
		span.End()
		if at.ctx.Err() != nil {
			return nil, context.Cause(at.ctx)
		}
		if err != nil {
			o = a.failed(at, err)
		}
		o.Result.Metrics = metricsOf(exit)
		return o, nil
	case supervisor.Failed, supervisor.Lost:
		o := a.newOutcome(at, ffrtmp.ResultFailed)
		o.Result.Error, o.Result.FailureReason = exit.Error, exit.Reason
		o.Result.Metrics = metricsOf(exit)
		return o, nil
	default: // stopped by an agent that died before it was done with that
		return a.newOutcome(at, ffrtmp.ResultCanceled), nil
	}
}

func (a *Agent) failed(at *attempt, err error) *outcome {
	o := a.newOutcome(at, ffrtmp.ResultFailed)
	o.Result.Error, o.Result.FailureReason = err.Error(), failure.Reason(err)
	return o
}

func (a *Agent) newOutcome(at *attempt, status ffrtmp.ResultStatus) *outcome {
	return &outcome{Result: ffrtmp.Result{
		JobID: at.jobID, NodeID: a.state.nodeID, Attempt: at.attempt, Lease: at.job.Lease,
		Status: status, Logs: finalLog(at.running()),
	}}
}

// submitResult tells the masters. An output is moved into place only after they have
// sealed the attempt, and confirmed only after that.
func (a *Agent) submitResult(at *attempt, o *outcome) error {
	if o.Result.Status == ffrtmp.ResultCompleted && !o.Published {
		at.enter(ffrtmp.PublishingPhase)
		seal := o.Result
		seal.Status, seal.Logs, seal.Metrics = ffrtmp.ResultPublishing, "", nil
		if err := a.outbox.deliver(at.ctx, seal); err != nil {
			return err
		}
		a.reached(at, stepSealed)
		_, span := a.cfg.Tracer.Start(at.ctx, "publish")
		err := publish(o)
		span.End()
		if err != nil {
			result := a.failed(at, err).Result
			result.Logs = o.Result.Logs
			o.Result = result
		} else {
			a.reached(at, stepMoved)
			o.Published = true
		}
		if err := at.dir.saveOutcome(o); err != nil {
			return err
		}
	}
	if err := a.outbox.deliver(at.ctx, o.Result); err != nil {
		return err
	}
	a.reached(at, stepDelivered)
	a.metrics.finished(o.Result.Status)
	at.log.Info("attempt finished", "status", o.Result.Status, "error", o.Result.Error)
	at.span.Set(tracing.Result.String(string(o.Result.Status)))
	if o.Result.Status == ffrtmp.ResultFailed {
		at.span.Fail(string(o.Result.FailureReason))
	}
	return nil
}

// publish moves the output into place, where nothing may have become the input
// since that was opened. That the output is there already is taken for an earlier
// agent's doing only when it is the file that was verified.
func publish(o *outcome) error {
	if o.Work == nil {
		return nil
	}
	if o.Input != nil {
		if info, err := os.Stat(o.Input.Path()); err == nil {
			if err := media.CheckNotInput(*o.Final, info); err != nil {
				return err
			}
		}
	}
	if err := media.Publish(*o.Work, *o.Final); err != nil {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %w", err)
	}
	info, err := os.Stat(o.Final.Path())
	if err != nil {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %w", err)
	}
	if info.Size() != o.Result.Output.SizeBytes {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %s has %d bytes and not %d", o.Final.Path(), info.Size(), o.Result.Output.SizeBytes)
	}
	return nil
}

// discard ends what still runs of an attempt and removes what it made.
func (a *Agent) discard(at *attempt, canceled bool) error {
	p, err := supervisor.Find(at.dir.path)
	if err != nil && !errors.Is(err, supervisor.ErrNotStarted) {
		return err
	}
	if err == nil {
		at.attach(p)
		ctx, cancel := context.WithTimeout(a.work, 10*time.Second)
		_, err := p.Stop(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	if canceled {
		a.confirmCancel(at)
	}
	a.metrics.finished(ffrtmp.ResultCanceled)
	return a.remove(at)
}

// confirmCancel hands in the log of a canceled attempt. Nothing depends on it.
func (a *Agent) confirmCancel(at *attempt) {
	ctx, cancel := context.WithTimeout(a.work, 5*time.Second)
	defer cancel()
	if _, err := a.client.Result(ctx, a.newOutcome(at, ffrtmp.ResultCanceled).Result, client.Persist()); err != nil {
		a.log.Debug("the log of a canceled attempt was not taken", "job", at.jobID, "error", err)
	}
}

// removeWork removes a work file, if there is one. What cannot be removed stays, where
// the log says: it must not hold a slot, nor keep the agent from starting.
func (a *Agent) removeWork(work *recipe.File) {
	if work == nil {
		return
	}
	if err := media.Remove(*work); err != nil {
		a.log.Error("a work file could not be removed and stays", "path", work.Path(), "error", err)
	}
}

// remove removes the attempt's directory, and the work file before it, whose
// name would be lost.
func (a *Agent) remove(at *attempt) error {
	p, err := supervisor.Find(at.dir.path)
	if err != nil && !errors.Is(err, supervisor.ErrNotStarted) {
		return err
	}
	if err == nil {
		started, err := p.Config()
		if err != nil {
			return err
		}
		a.removeWork(started.Plan.Work)
	}
	if err := at.dir.remove(); err != nil {
		return err
	}
	a.reached(at, stepRemoved)
	return nil
}
