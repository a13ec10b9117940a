package api

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
)

// batch is the body of POST /jobs/batch. Its jobs are decoded one by one, so that
// an error can say which of them is at fault.
type batch struct {
	Jobs []json.RawMessage `json:"jobs"`
}

func (b *batch) Validate() error {
	switch {
	case len(b.Jobs) == 0:
		return ffrtmp.FieldErrorf("jobs", "must hold at least one job")
	case len(b.Jobs) > ffrtmp.MaxBatch:
		return ffrtmp.FieldErrorf("jobs", "holds %d jobs, more than %d", len(b.Jobs), ffrtmp.MaxBatch)
	}
	return nil
}

// specs are the jobs, each of them checked.
func (b *batch) specs() ([]ffrtmp.Spec, error) {
	specs := make([]ffrtmp.Spec, len(b.Jobs))
	for i, raw := range b.Jobs {
		err := ffrtmp.Decode(raw, &specs[i])
		if err == nil {
			err = specs[i].Validate()
		}
		if err != nil {
			return nil, inField(fmt.Sprintf("jobs[%d]", i), err)
		}
	}
	return specs, nil
}

// submitBatch makes all jobs of a batch, or none.
func (s *Server) submitBatch(c *call, b *batch) (*answer, error) {
	specs, err := b.specs()
	if err != nil {
		return nil, err
	}
	index, made, err := s.propose(c, specs)
	if err != nil {
		return nil, err
	}
	return &answer{status: created(made), index: index, body: ffrtmp.Submitted{Jobs: made.Jobs, Count: len(made.Jobs)}}, nil
}

// inField says that what err is about stands within a field.
func inField(field string, err error) error {
	var e *ffrtmp.Error
	if !errors.As(err, &e) {
		return err
	}
	within := *e
	within.Field = field
	if e.Field != "" {
		within.Field += "." + e.Field
	}
	return &within
}
