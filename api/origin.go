package api

import (
	"net/http"

	"ffrtmp/fsm"
	"ffrtmp/internal/tracing"
	"ffrtmp/job"
)

// submits reports whether a request brings jobs: with it a trace may begin.
func submits(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/jobs" || r.URL.Path == "/jobs/batch")
}

// propose makes the jobs of a submission, each with the request that brought it. The
// attempts' spans are to be children of the commit's.
func (s *Server) propose(c *call, specs []job.Spec) (uint64, fsm.Submitted, error) {
	ctx, span := s.cfg.Tracer.Start(c.Context(), "commit")
	defer span.End()
	origin := job.Origin{RequestID: c.id, Traceparent: tracing.Traceparent(ctx, c.Header)}
	for i := range specs {
		specs[i].Origin = origin
	}
	index, made, err := s.cfg.Proposer.Submit(ctx, c.idempotency, specs)
	if err != nil {
		span.Fail(string(job.CodeOf(err)))
	} else if len(made.Jobs) == 1 {
		span.Set(tracing.JobID.String(made.Jobs[0].ID))
	}
	return index, made, err
}
