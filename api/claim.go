package api

import (
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// maxClaim bounds the attempts of one answer.
const maxClaim = 1024

// validateClaim checks a claim. An absent max is 1.
func validateClaim(r *ffrtmp.ClaimRequest) error {
	if r.Max == 0 {
		r.Max = 1
	}
	switch {
	case r.NodeID == "":
		return ffrtmp.FieldErrorf("node_id", "is required")
	case r.Max < 1 || r.Max > maxClaim:
		return ffrtmp.FieldErrorf("max", "must be between 1 and %d", maxClaim)
	}
	return checkDuration("wait", time.Duration(r.Wait), maxWait)
}

// claim returns attempts for a node to run, and waits until some are ready. An idempotency key
// has no effect: attempts are returned again, with the same leases, until a heartbeat lists them.
func (s *Server) claim(c *call, r *ffrtmp.ClaimRequest) (*answer, error) {
	if err := validateClaim(r); err != nil {
		return nil, err
	}
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	index, jobs, err := s.cfg.Leader.Claim(ctx, r.NodeID, r.Max, time.Duration(r.Wait))
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 && s.stopping.Err() != nil {
		// After an empty answer the agent would ask this master again at once.
		return nil, errStopping
	}
	if jobs == nil {
		jobs = []ffrtmp.Job{}
	}
	return &answer{index: index, body: ffrtmp.ClaimResponse{Jobs: jobs}}, nil
}

// next claims a job for a v2.2 agent.
func (s *Server) next(c *call) (*answer, error) {
	nodeID := c.URL.Query().Get("node_id")
	if nodeID == "" {
		return nil, ffrtmp.FieldErrorf("node_id", "is required")
	}
	var body struct {
		Job *ffrtmp.Job `json:"job"`
	}
	if c.Method == http.MethodHead { // a HEAD claims nothing
		return &answer{body: body}, nil
	}
	index, jobs, err := s.cfg.Leader.Next(c.Context(), nodeID, c.id)
	if err != nil {
		return nil, err
	}
	if len(jobs) > 0 {
		body.Job = &jobs[0]
		completeLegacy(body.Job)
	}
	return &answer{index: index, body: body}, nil
}

// completeLegacy adds to a job's parameters what its scenario implies: a v2.2 agent does not read that. There are none
// for a job that v2.2 nodes do not get; a newer agent that claims it here needs none.
func completeLegacy(j *ffrtmp.Job) {
	if parameters, err := ffrtmp.LegacyParameters(j.Scenario, j.Parameters); err == nil {
		j.Parameters = parameters
	}
}
