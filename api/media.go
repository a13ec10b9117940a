package api

import "github.com/ffrtmp/ffrtmp"

// media describes input and output of an attempt, and how fast it went, once it has ended.
func (s *Server) media(c *call) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	attempt, err := attemptOf(c.URL.Query(), &j)
	if err != nil {
		return nil, err
	}
	m, err := s.cfg.State.Media(c.Context(), j.SequenceNumber, attempt)
	if err != nil {
		return nil, err
	}
	return &answer{body: ffrtmp.JobMedia{JobID: j.ID, Attempt: min(attempt, j.Attempt), Media: m}}, nil
}
