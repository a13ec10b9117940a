package api

import (
	"regexp"

	"github.com/ffrtmp/ffrtmp"
)

// jobView is a job with live progress and without secrets.
func (s *Server) jobView(j *ffrtmp.Job) *ffrtmp.Job {
	s.cfg.Leader.Overlay(j)
	j.Parameters = ffrtmp.RedactParameters(j.Parameters)
	j.Lease = ""
	return j
}

func (s *Server) getJob(c *call) (*answer, error) {
	j, err := s.current(func() (ffrtmp.Job, error) { return s.job(c) })
	if err != nil {
		return nil, err
	}
	return &answer{body: s.jobView(&j)}, nil
}

// current reads a job and adds its live progress. If its attempt has ended meanwhile, it reads
// the job again: progress never goes backwards.
func (s *Server) current(read func() (ffrtmp.Job, error)) (ffrtmp.Job, error) {
	j, err := read()
	if err == nil && !s.cfg.Leader.Overlay(&j) {
		j, err = read()
	}
	return j, err
}

var numberForm = regexp.MustCompile(`^[1-9][0-9]{0,18}$`)

// job returns the job that the path names by id or sequence number. A sequence number consists
// of digits only: the digits at the start of an id are not one.
func (s *Server) job(c *call) (ffrtmp.Job, error) {
	name := c.PathValue("id")
	if !ffrtmp.IsID(name) && !numberForm.MatchString(name) {
		return ffrtmp.Job{}, ffrtmp.Errorf(ffrtmp.NotFound, "no job %q", name)
	}
	return s.cfg.State.Job(c.Context(), name)
}

// patchJob changes a pending job.
func (s *Server) patchJob(c *call, p *ffrtmp.Patch) (*answer, error) {
	j, err := s.job(c)
	if err != nil {
		return nil, err
	}
	index, _, err := s.cfg.Proposer.Patch(c.Context(), c.idempotency, j.SequenceNumber, *p)
	if err != nil {
		return nil, err
	}
	if j, err = s.cfg.State.Summary(c.Context(), j.SequenceNumber); err != nil {
		return nil, err
	}
	return &answer{index: index, body: s.jobView(&j)}, nil
}
