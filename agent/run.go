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

// live sees an attempt through to its end. What fails on this machine meanwhile
// (a full state directory, say) is tried again: every step starts from the files.
func (a *Agent) live(at *attempt) {
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
			err = a.forget(at)
		case at.fenced() != nil:
			at.log.Info("attempt ended by the masters", "verb", at.fenced().verb)
			at.span.Fail(at.fenced().Error())
			err = a.discard(at, at.fenced().verb == ffrtmp.CommandCancel)
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
	if forgotten, err := at.record.forgotten(); forgotten || err != nil {
		return err
	}
	if at.ctx.Err() != nil {
		return context.Cause(at.ctx)
	}
	v, err := at.record.verdict()
	if err != nil {
		return err
	}
	if v == nil {
		if v, err = a.finish(at); err != nil {
			return err
		}
		if err := at.record.decide(v); err != nil {
			return err
		}
		a.passed(at, stepDecided)
	}
	return a.handIn(at, v)
}

// finish runs ffmpeg to its end, or finds it running or ended, and judges it. Its
// error means that it could not be judged yet.
func (a *Agent) finish(at *attempt) (*verdict, error) {
	p, err := supervisor.Find(at.record.dir)
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
		if v, err := a.lost(at, p); v != nil || err != nil {
			return v, err
		}
	}
	at.attach(p)
	a.passed(at, stepStarted)
	exit, err := p.Wait(at.ctx)
	if err != nil {
		return nil, err
	}
	a.passed(at, stepEnded)
	a.cfg.Tracer.Ran(at.ctx, "encode", exit.StartedAt, exit.EndedAt)
	return a.judge(at, exit)
}

// lost gives back what went down together with an earlier agent, as when the
// machine was restarted: that is no failure of the job's and uses up no retry.
func (a *Agent) lost(at *attempt, p *supervisor.Process) (*verdict, error) {
	st, err := p.State()
	if err != nil || st.Exit == nil || st.Exit.End != supervisor.Lost {
		return nil, err
	}
	at.attach(p)
	v := a.verdict(at, ffrtmp.ResultCanceled)
	v.Result.Error = st.Exit.Error
	return v, nil
}

// judge turns the end of ffmpeg into a result.
func (a *Agent) judge(at *attempt, exit supervisor.Exit) (*verdict, error) {
	switch exit.End {
	case supervisor.Succeeded:
		at.enter(verifyingPhase)
		_, span := a.cfg.Tracer.Start(at.ctx, "verify")
		v, err := a.verify(at, exit)
		span.End()
		if at.ctx.Err() != nil {
			return nil, context.Cause(at.ctx)
		}
		if err != nil {
			v = a.failed(at, err)
		}
		v.Result.Metrics = metricsOf(exit)
		return v, nil
	case supervisor.Failed, supervisor.Lost:
		v := a.verdict(at, ffrtmp.ResultFailed)
		v.Result.Error, v.Result.FailureReason = exit.Error, exit.Reason
		v.Result.Metrics = metricsOf(exit)
		return v, nil
	default: // stopped by an agent that died before it was done with that
		return a.verdict(at, ffrtmp.ResultCanceled), nil
	}
}

func (a *Agent) failed(at *attempt, err error) *verdict {
	v := a.verdict(at, ffrtmp.ResultFailed)
	v.Result.Error, v.Result.FailureReason = err.Error(), failure.Reason(err)
	return v
}

func (a *Agent) verdict(at *attempt, status ffrtmp.ResultStatus) *verdict {
	return &verdict{Result: ffrtmp.Result{
		JobID: at.jobID, NodeID: a.state.nodeID, Attempt: at.attempt, Lease: at.job.Lease,
		Status: status, Logs: finalLog(at.running()),
	}}
}

// handIn tells the masters. An output is moved into place only after they have
// sealed the attempt, and confirmed only after that.
func (a *Agent) handIn(at *attempt, v *verdict) error {
	if v.Result.Status == ffrtmp.ResultCompleted && !v.Published {
		at.enter(ffrtmp.PublishingPhase)
		seal := v.Result
		seal.Status, seal.Logs, seal.Metrics = ffrtmp.ResultPublishing, "", nil
		if err := a.outbox.deliver(at.ctx, seal); err != nil {
			return err
		}
		a.passed(at, stepSealed)
		_, span := a.cfg.Tracer.Start(at.ctx, "publish")
		err := publish(v)
		span.End()
		if err != nil {
			result := a.failed(at, err).Result
			result.Logs = v.Result.Logs
			v.Result = result
		} else {
			a.passed(at, stepMoved)
			v.Published = true
		}
		if err := at.record.decide(v); err != nil {
			return err
		}
	}
	if err := a.outbox.deliver(at.ctx, v.Result); err != nil {
		return err
	}
	a.passed(at, stepDelivered)
	a.metrics.finished(v.Result.Status)
	at.log.Info("attempt finished", "status", v.Result.Status, "error", v.Result.Error)
	at.span.Set(tracing.Result.String(string(v.Result.Status)))
	if v.Result.Status == ffrtmp.ResultFailed {
		at.span.Fail(string(v.Result.FailureReason))
	}
	return nil
}

// publish moves the output into place, where nothing may have become the input
// since that was opened. That the output is there already is taken for an earlier
// agent's doing only when it is the file that was verified.
func publish(v *verdict) error {
	if v.Work == nil {
		return nil
	}
	if v.Input != nil {
		if info, err := os.Stat(v.Input.Path()); err == nil {
			if err := media.CheckNotInput(*v.Final, info); err != nil {
				return err
			}
		}
	}
	if err := media.Publish(*v.Work, *v.Final); err != nil {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %w", err)
	}
	info, err := os.Stat(v.Final.Path())
	if err != nil {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %w", err)
	}
	if info.Size() != v.Result.Output.SizeBytes {
		return failure.Errorf(ffrtmp.OutputError, "publishing the output: %s has %d bytes and not %d", v.Final.Path(), info.Size(), v.Result.Output.SizeBytes)
	}
	return nil
}

// discard ends what still runs of an attempt and removes what it made.
func (a *Agent) discard(at *attempt, canceled bool) error {
	p, err := supervisor.Find(at.record.dir)
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
	return a.forget(at)
}

// confirmCancel hands in the log of a canceled attempt. Nothing depends on it.
func (a *Agent) confirmCancel(at *attempt) {
	ctx, cancel := context.WithTimeout(a.work, 5*time.Second)
	defer cancel()
	if _, err := a.client.Result(ctx, a.verdict(at, ffrtmp.ResultCanceled).Result, client.Persist()); err != nil {
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

// forget removes the attempt's directory, and the work file before it, whose
// name would be lost.
func (a *Agent) forget(at *attempt) error {
	p, err := supervisor.Find(at.record.dir)
	if err != nil && !errors.Is(err, supervisor.ErrNotStarted) {
		return err
	}
	if err == nil {
		started, err := p.Attempt()
		if err != nil {
			return err
		}
		a.removeWork(started.Plan.Work)
	}
	if err := at.record.forget(); err != nil {
		return err
	}
	a.passed(at, stepForgotten)
	return nil
}
