package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// submitJob creates a job, or with ?dry_run shows it.
func (s *Server) submitJob(c *call, spec *ffrtmp.Spec) (*answer, error) {
	q := c.URL.Query()
	switch dry, err := queryBool(q, "dry_run"); {
	case err != nil:
		return nil, err
	case dry:
		return s.dryRun(c, spec)
	case q.Has("node"):
		return nil, ffrtmp.FieldErrorf("node", "requires dry_run; to choose a node, set requires.labels")
	}
	specs := []ffrtmp.Spec{*spec}
	index, submitted, err := s.propose(c, specs)
	if err != nil {
		return nil, err
	}
	j, err := s.submittedJob(c, &specs[0], &submitted)
	if err != nil {
		return nil, err
	}
	return &answer{status: created(submitted), index: index, location: "/jobs/" + j.ID, body: s.jobView(&j)}, nil
}

// submittedJob is the job of a submission: as it was created, or, if an earlier request
// created it, as it is now.
func (s *Server) submittedJob(c *call, spec *ffrtmp.Spec, submitted *fsm.Submitted) (ffrtmp.Job, error) {
	if submitted.Replayed {
		return s.cfg.State.Summary(c.Context(), submitted.Jobs[0].SequenceNumber)
	}
	return s.cfg.Proposer.Job(spec, submitted.Jobs[0], submitted.CreatedAt), nil
}

// created is the status of a submission: 200 when its jobs existed already.
func created(submitted fsm.Submitted) int {
	if submitted.Replayed {
		return http.StatusOK
	}
	return http.StatusCreated
}

// batch is the body of POST /jobs/batch. Its jobs are decoded one by one, so that an error names
// the job at fault.
type batch struct {
	Jobs []json.RawMessage `json:"jobs"`
}

func (b *batch) Validate() error {
	switch {
	case len(b.Jobs) == 0:
		return ffrtmp.FieldErrorf("jobs", "must contain at least one job")
	case len(b.Jobs) > ffrtmp.MaxBatch:
		return ffrtmp.FieldErrorf("jobs", "contains %d jobs, more than %d", len(b.Jobs), ffrtmp.MaxBatch)
	}
	return nil
}

// specs decodes and validates the jobs.
func (b *batch) specs() ([]ffrtmp.Spec, error) {
	specs := make([]ffrtmp.Spec, len(b.Jobs))
	for i, raw := range b.Jobs {
		err := jsonbody.Decode(raw, &specs[i])
		if err == nil {
			err = specs[i].Validate()
		}
		if err != nil {
			return nil, inField(fmt.Sprintf("jobs[%d]", i), err)
		}
	}
	return specs, nil
}

// submitBatch creates all jobs of a batch, or none.
func (s *Server) submitBatch(c *call, b *batch) (*answer, error) {
	specs, err := b.specs()
	if err != nil {
		return nil, err
	}
	index, submitted, err := s.propose(c, specs)
	if err != nil {
		return nil, err
	}
	return &answer{
		status: created(submitted), index: index,
		body: ffrtmp.Submitted{Jobs: submitted.Jobs, Count: len(submitted.Jobs)},
	}, nil
}

// isSubmission reports whether a request submits jobs. Such a request may start a trace.
func isSubmission(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/jobs" || r.URL.Path == "/jobs/batch")
}

// propose commits the jobs of a submission, each with the request that submitted it. The
// attempts' spans are children of the commit's.
func (s *Server) propose(c *call, specs []ffrtmp.Spec) (uint64, fsm.Submitted, error) {
	if err := s.checkDiskSpace(c); err != nil {
		return 0, fsm.Submitted{}, err
	}
	ctx, span := s.cfg.Tracer.Start(c.Context(), "commit")
	defer span.End()
	origin := ffrtmp.Origin{RequestID: c.id, Traceparent: tracing.Traceparent(ctx, c.Header)}
	for i := range specs {
		specs[i].Origin = origin
	}
	index, submitted, err := s.cfg.Proposer.Submit(ctx, c.idempotency, specs)
	if err != nil {
		span.Fail(string(ffrtmp.CodeOf(err)))
	} else if len(submitted.Jobs) == 1 {
		span.Set(tracing.JobID.String(submitted.Jobs[0].ID))
	}
	return index, submitted, err
}

// checkDiskSpace refuses new jobs while a disk of the cluster is nearly full. A repeated request
// still succeeds: its jobs exist.
func (s *Server) checkDiskSpace(c *call) error {
	short := s.cfg.Cluster.CheckDiskSpace()
	if short == nil {
		return nil
	}
	if submitted, err := s.cfg.State.Submitted(c.Context(), c.idempotency); submitted || err != nil {
		return err
	}
	return ffrtmp.Errorf(ffrtmp.InsufficientStorage, "new jobs are refused: %w", short)
}
