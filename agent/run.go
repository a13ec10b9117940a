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

// errStopping ends the contexts of attempts when the agent stops; ffmpeg continues.
var errStopping = errors.New("the agent is stopping")

// runAttempt takes an attempt to its end. It retries failures of this machine, such
// as a full disk: every step starts from the files.
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
			at.log.Info("attempt stopped by the masters", "command", at.stopCommand().verb)
			at.span.Fail(at.stopCommand().Error())
			err = a.discard(at, at.stopCommand().verb == ffrtmp.CommandCancel)
		case errors.As(err, &refused):
			at.log.Warn("result refused; removing the attempt", "error", refused.err)
			at.span.Fail("the masters refused the result")
			err = a.discard(at, false)
		}
		if err == nil {
			return
		}
		at.log.Error("attempt failed to advance; retrying", "error", err)
		if ctxtime.Sleep(a.work, pause) != nil {
			return
		}
	}
}

// advance takes the attempt from the state that its files show to a result that the
// masters have accepted.
func (a *Agent) advance(at *attempt) error {
	if removed, err := at.dir.removed(); removed || err != nil {
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

// encode runs ffmpeg to its end, or finds it running or ended, and returns the
// outcome. An error means that there is no outcome yet.
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

// returnLost releases an attempt that ended together with an earlier agent, for
// example when the machine restarted. The job did not fail and keeps its retries.
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
		at.enter(ffrtmp.VerifyingPhase)
		_, span := a.cfg.Tracer.Start(at.ctx, "verify")
		o, err := a.verify(at, exit)
		span.End()
		if at.ctx.Err() != nil {
			return nil, context.Cause(at.ctx)
		}
		if err != nil {
			o = a.failed(at, err)
			at.addProgress(&o.Result)
		}
		o.Result.Metrics = metricsOf(exit)
		addMedia(&o.Result, at.running(), exit)
		return o, nil
	case supervisor.Failed, supervisor.Lost:
		o := a.newOutcome(at, ffrtmp.ResultFailed)
		o.Result.Error, o.Result.FailureReason = exit.Error, exit.Reason
		at.addProgress(&o.Result)
		o.Result.Metrics = metricsOf(exit)
		addMedia(&o.Result, at.running(), exit)
		return o, nil
	default: // stopped by an agent that died before it removed the attempt
		return a.newOutcome(at, ffrtmp.ResultCanceled), nil
	}
}

func (a *Agent) failed(at *attempt, err error) *outcome {
	o := a.newOutcome(at, ffrtmp.ResultFailed)
	o.Result.Error, o.Result.FailureReason = err.Error(), failure.Reason(err)
	o.Result.InputUnseen = failure.Unseen(err)
	return o
}

func (a *Agent) newOutcome(at *attempt, status ffrtmp.ResultStatus) *outcome {
	log, offset := finalLog(at.running())
	return &outcome{Result: ffrtmp.Result{
		JobID: at.jobID, NodeID: a.state.nodeID, Attempt: at.attempt, Lease: at.job.Lease,
		Status: status, Logs: log, LogOffset: offset,
	}}
}

// submitResult hands the outcome to the masters. It moves the output into place only
// after they have sealed the attempt, and confirms only after that.
func (a *Agent) submitResult(at *attempt, o *outcome) error {
	if o.Result.Status == ffrtmp.ResultCompleted && !o.Published {
		at.enter(ffrtmp.PublishingPhase)
		seal := o.Result
		seal.Status, seal.Logs, seal.LogOffset = ffrtmp.ResultPublishing, "", 0
		seal.Metrics, seal.Warnings, seal.Media = nil, nil, nil
		if err := a.outbox.deliver(at.ctx, seal); err != nil {
			return err
		}
		a.reached(at, stepSealed)
		_, span := a.cfg.Tracer.Start(at.ctx, "publish")
		err := publish(o)
		span.End()
		if err != nil {
			result := a.failed(at, err).Result
			result.Logs, result.LogOffset = o.Result.Logs, o.Result.LogOffset
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

// publish moves the output into place, unless that would replace the input. An
// output that is already there was published by an earlier agent only if it has the
// verified size.
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
	for i, s := range o.Sidecars { // first: the output says that all is there
		if err := publishFile(s.Work, s.Final, o.Owner, o.Result.Output.Sidecars[i].SizeBytes); err != nil {
			return err
		}
	}
	return publishFile(*o.Work, *o.Final, o.Owner, o.Result.Output.SizeBytes)
}

// publishFile moves one file into place.
func publishFile(work, final recipe.File, owner recipe.Owner, size int64) error {
	if err := media.Publish(work, final, owner); err != nil {
		return err
	}
	info, err := os.Stat(final.Path())
	if err != nil {
		return failure.Errorf(ffrtmp.OutputError, "publish: %w", err)
	}
	if info.Size() != size {
		return failure.Errorf(ffrtmp.OutputError, "publish: %s has %d bytes, want %d", final.Path(), info.Size(), size)
	}
	return nil
}

// discard stops an attempt and removes its files.
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

// confirmCancel sends the log of a canceled attempt, best effort.
func (a *Agent) confirmCancel(at *attempt) {
	ctx, cancel := context.WithTimeout(a.work, 5*time.Second)
	defer cancel()
	if _, err := a.client.Result(ctx, a.newOutcome(at, ffrtmp.ResultCanceled).Result, client.Persist()); err != nil {
		a.log.Debug("cannot send the log of a canceled attempt", "job", at.jobID, "error", err)
	}
}

// removeWork removes a run's work files. A failure is only logged: it must neither
// hold a slot nor keep the agent from starting.
func (a *Agent) removeWork(plan *recipe.Plan) {
	for _, work := range plan.WorkFiles() {
		if err := media.Remove(work); err != nil {
			a.log.Error("cannot remove a work file", "path", work.Path(), "error", err)
		}
	}
}

// remove removes the work file and then the attempt's directory, which holds the
// work file's name.
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
		a.removeWork(&started.Plan)
	}
	if err := at.dir.remove(); err != nil {
		return err
	}
	a.reached(at, stepRemoved)
	return nil
}
