package api

import (
	"encoding/json"
	"math"
	"net/url"

	"github.com/ffrtmp/ffrtmp"
)

// acted is the answer to an action on a job.
type acted struct {
	Status ffrtmp.Status `json:"status"`
	JobID  string        `json:"job_id"`
}

// act returns the endpoint of an action on a job.
func (s *Server) act(action ffrtmp.Action) func(*call, *nothing) (*answer, error) {
	return func(c *call, _ *nothing) (*answer, error) {
		j, err := s.job(c)
		if err != nil {
			return nil, err
		}
		index, done, err := s.cfg.Proposer.Act(c.Context(), c.idempotency, action, j.SequenceNumber)
		if err != nil {
			return nil, err
		}
		s.cfg.Leader.NodeChanged(j.NodeID)
		return &answer{index: index, body: acted{Status: done.Status, JobID: j.ID}}, nil
	}
}

// selection is the body of a bulk action. Its filter must not be empty: a mistyped field
// must not select every job.
type selection struct {
	Filter map[string]json.RawMessage `json:"filter"`
}

func (sel *selection) filter() (f ffrtmp.Filter, err error) {
	if len(sel.Filter) == 0 {
		return f, ffrtmp.FieldErrorf("filter",
			"must name at least one of status, queue, priority, scenario, node_id, label, created_after, "+
				"created_before and q")
	}
	values := url.Values{}
	for name, raw := range sel.Filter {
		if filterFields(&f)[name] == nil && filterTimes(&f)[name] == nil {
			return f, ffrtmp.FieldErrorf("filter."+name, "unknown field")
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return f, ffrtmp.FieldErrorf("filter."+name, "must be a string")
		}
		values.Set(name, text)
	}
	if f, err = parseFilter(values); err != nil {
		return f, inField("filter", err)
	}
	if f.IsZero() {
		return f, ffrtmp.FieldErrorf("filter", "selects every job; name at least one value")
	}
	return f, nil
}

// cancelMany cancels every job that a filter selects.
func (s *Server) cancelMany(c *call, sel *selection) (*answer, error) {
	filter, err := sel.filter()
	if err != nil {
		return nil, err
	}
	seqs, err := s.cfg.State.Seqs(c.Context(), filter, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	index, done, err := s.cfg.Proposer.CancelMany(c.Context(), c.idempotency, filter, seqs)
	if err != nil {
		return nil, err
	}
	s.cfg.Leader.Changed()
	return &answer{index: index, body: struct {
		Count int `json:"count"`
	}{done.Count}}, nil
}
