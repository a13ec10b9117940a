package api

import "github.com/ffrtmp/ffrtmp"

// result accepts the end of an attempt, or that its output is about to be published.
func (s *Server) result(c *call, r *ffrtmp.Result) (*answer, error) {
	index, response, err := s.cfg.Leader.Result(c.Context(), c.idempotency, r)
	if err != nil {
		return nil, err
	}
	return &answer{index: index, body: response}, nil
}
