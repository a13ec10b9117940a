package api

import (
	"net/url"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
)

// listJobs returns a page of jobs, newest first unless the query says otherwise.
func (s *Server) listJobs(c *call) (*answer, error) {
	q := c.URL.Query()
	filter := ffrtmp.Filter{
		Status:   ffrtmp.Status(q.Get("status")),
		Queue:    ffrtmp.Queue(q.Get("queue")),
		Priority: ffrtmp.Priority(q.Get("priority")),
		Scenario: q.Get("scenario"),
		NodeID:   q.Get("node_id"),
		Label:    q.Get("label"),
	}
	if err := filter.Validate(); err != nil {
		return nil, err
	}
	page, err := parsePage(q)
	if err != nil {
		return nil, err
	}
	list, err := s.cfg.State.Jobs(c.Context(), filter, page)
	if err != nil {
		return nil, err
	}
	for i := range list.Jobs {
		s.jobView(&list.Jobs[i])
	}
	return &answer{body: list}, nil
}

func parsePage(q url.Values) (p ffrtmp.Page, err error) {
	p.Order = ffrtmp.Order(q.Get("order"))
	if q.Has("limit") {
		if p.Limit, err = strconv.Atoi(q.Get("limit")); err != nil || p.Limit < 1 {
			return p, ffrtmp.FieldErrorf("limit", "must be between 1 and %d", ffrtmp.MaxLimit)
		}
	}
	if text := q.Get("cursor"); text != "" {
		if p.Cursor, err = strconv.ParseUint(text, 10, 63); err != nil {
			return p, ffrtmp.FieldErrorf("cursor", "is not a valid cursor")
		}
	}
	return p, p.Validate()
}
