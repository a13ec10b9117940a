package api

import "github.com/ffrtmp/ffrtmp"

// query runs read-only SQL on the state.
func (s *Server) query(c *call, q *ffrtmp.QueryRequest) (*answer, error) {
	result, err := s.cfg.State.Query(c.Context(), q.SQL)
	if err != nil {
		return nil, err
	}
	return &answer{body: result}, nil
}
