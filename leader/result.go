package leader

import (
	"context"
	"fmt"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// Result commits what a node reports of an attempt's end.
func (s *Service) Result(ctx context.Context, id fsm.Idempotency,
	r *ffrtmp.Result,
) (uint64, ffrtmp.ResultResponse, error) {
	t, err := s.leading()
	if err != nil {
		return 0, ffrtmp.ResultResponse{}, err
	}
	if _, err := t.contact(r.NodeID); err != nil && ffrtmp.CodeOf(err) != ffrtmp.NotFound {
		return 0, ffrtmp.ResultResponse{}, err
	}
	seq, err := t.seq(ctx, r.JobID)
	if err != nil {
		return 0, ffrtmp.ResultResponse{}, err
	}
	if err := t.redact(ctx, r); err != nil {
		return 0, ffrtmp.ResultResponse{}, err
	}
	t.locateLog(r)
	if err := t.saveEnd(r); err != nil {
		return 0, ffrtmp.ResultResponse{}, err
	}
	index, done, err := t.cfg.Proposer.Result(t.ctx, id, seq, *r) //nolint:contextcheck // ends with the term
	if err != nil {
		if code := ffrtmp.CodeOf(err); code == ffrtmp.StaleAttempt {
			t.cfg.Logger.Info("stale result rejected", "job", r.JobID, "attempt", r.Attempt, "node", r.NodeID, "status",
				r.Status)
		}
		return 0, ffrtmp.ResultResponse{}, err
	}
	t.applyResult(r, done)
	if done.Retry > 0 {
		return index, ffrtmp.ResultResponse{Status: "retrying", Retry: done.Retry, MaxRetries: done.MaxRetries}, nil
	}
	return index, ffrtmp.ResultResponse{Status: "success"}, nil
}

// redact removes the job's secrets from a v2.2 node's result. Other agents do that themselves.
func (t *term) redact(ctx context.Context, r *ffrtmp.Result) error {
	t.mu.Lock()
	n := t.nodes[r.NodeID]
	legacy := n != nil && n.legacy
	t.mu.Unlock()
	if !legacy {
		return nil
	}
	j, err := t.cfg.State.Job(ctx, r.JobID)
	if err != nil {
		return err
	}
	ffrtmp.NewRedactor(j.Parameters).Result(r)
	return nil
}

// saveEnd stores how far a failed attempt came, which its job shows if it has no retry left.
func (t *term) saveEnd(r *ffrtmp.Result) error {
	if r.Status != ffrtmp.ResultFailed || r.ProgressDetail == nil {
		return nil
	}
	t.mu.Lock()
	n, a := t.nodes[r.NodeID], t.attempts[r.JobID]
	current := n != nil && a.is(n, r.Attempt, r.Lease)
	t.mu.Unlock()
	if !current {
		return nil // the state decides about such a result
	}
	_, _, err := t.cfg.Proposer.Progress(t.ctx, []fsm.Report{{
		AttemptID: a.AttemptID, Percent: int(r.Progress), Detail: r.ProgressDetail, At: time.Now(),
	}}, nil)
	return err
}

// seq is the sequence number of a job.
func (t *term) seq(ctx context.Context, jobID string) (uint64, error) {
	t.mu.Lock()
	a := t.attempts[jobID]
	t.mu.Unlock()
	if a != nil {
		return a.Seq, nil
	}
	return t.cfg.State.Resolve(ctx, jobID)
}

// locateLog sets the log offset of a result that has none.
func (t *term) locateLog(r *ffrtmp.Result) {
	if r.LogOffset != 0 || r.Logs == "" {
		return
	}
	t.mu.Lock()
	a := t.attempts[r.JobID]
	t.mu.Unlock()
	if a != nil {
		r.LogOffset = a.log.locate(r.Logs)
	}
}

// applyResult updates memory to a result that the state has accepted.
func (t *term) applyResult(r *ffrtmp.Result, done fsm.Resulted) {
	t.mu.Lock()
	a := t.attempts[done.ID]
	if a != nil && a.AttemptID.Attempt == done.Attempt {
		if r.Status == ffrtmp.ResultPublishing {
			a.Sealed, a.Status = true, ffrtmp.Running
		} else {
			a.log.finish(r.LogOffset, r.Logs)
			t.drop(done.ID)
		}
	}
	t.mu.Unlock()
	if done.Repeated {
		return
	}
	switch {
	case done.Elsewhere:
		t.cfg.Logger.Warn("node cannot see the input; job goes to another node", "job", done.ID, "attempt",
			done.Attempt, "node", r.NodeID, "error", r.Error)
	case r.Status == ffrtmp.ResultFailed:
		t.logFailure(done.ID, r.NodeID, r.FailureReason, done.Retry, done.MaxRetries)
	default:
		t.cfg.Logger.Debug("result accepted", "status", r.Status, "job", done.ID, "attempt", done.Attempt, "node",
			r.NodeID)
	}
}

// logFailure logs the consequence of a failed run, in v2.2's words, which count runs.
func (t *term) logFailure(jobID, nodeID string, reason ffrtmp.FailureReason, retry, maxRetries int) {
	runs := maxRetries + 1
	switch {
	case retry > 0:
		t.cfg.Logger.Warn(
			fmt.Sprintf("job %s failed on node %s (attempt %d/%d) - re-queued for retry", jobID, nodeID, retry, runs))
	case reason.Final():
		t.cfg.Logger.Error(fmt.Sprintf("job %s failed on node %s - not retried: %s", jobID, nodeID, reason))
	default:
		t.cfg.Logger.Error(fmt.Sprintf("job %s failed after %d attempts - max retries reached", jobID, runs))
	}
}
