package api

import (
	"net/http"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// submits reports whether a request brings jobs: with it a trace may begin.
func submits(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/jobs" || r.URL.Path == "/jobs/batch")
}

// propose makes the jobs of a submission, each with the request that brought it. The
// attempts' spans are to be children of the commit's.
func (s *Server) propose(c *call, specs []ffrtmp.Spec) (uint64, fsm.Submitted, error) {
	if err := s.room(c); err != nil {
		return 0, fsm.Submitted{}, err
	}
	ctx, span := s.cfg.Tracer.Start(c.Context(), "commit")
	defer span.End()
	origin := ffrtmp.Origin{RequestID: c.id, Traceparent: tracing.Traceparent(ctx, c.Header)}
	for i := range specs {
		specs[i].Origin = origin
	}
	index, made, err := s.cfg.Proposer.Submit(ctx, c.idempotency, specs)
	if err != nil {
		span.Fail(string(ffrtmp.CodeOf(err)))
	} else if len(made.Jobs) == 1 {
		span.Set(tracing.JobID.String(made.Jobs[0].ID))
	}
	return index, made, err
}

// room refuses new jobs while the disks have no room for more than what becomes of those
// that there are. A repeated request for jobs that have been made is none for new ones.
func (s *Server) room(c *call) error {
	short := s.cfg.Cluster.CheckDiskSpace()
	if short == nil {
		return nil
	}
	if made, err := s.cfg.State.Submitted(c.Context(), c.idempotency); made || err != nil {
		return err
	}
	return ffrtmp.Errorf(ffrtmp.InsufficientStorage, "new jobs are not taken: %w", short)
}
