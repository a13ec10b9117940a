package api

import "github.com/ffrtmp/ffrtmp"

// query answers SQL over the state, which it cannot change.
func (s *Server) query(c *call, q *ffrtmp.QueryRequest) (*answer, error) {
	result, err := s.cfg.State.Query(c.Context(), q.SQL)
	if err != nil {
		return nil, err
	}
	return &answer{body: result}, nil
}
