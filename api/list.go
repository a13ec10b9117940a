package api

import (
	"net/url"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// listJobs returns a page of jobs, newest first unless the query says otherwise.
func (s *Server) listJobs(c *call) (*answer, error) {
	q := c.URL.Query()
	filter, err := parseFilter(q)
	if err != nil {
		return nil, err
	}
	page, err := parsePage(q)
	if err != nil {
		return nil, err
	}
	counted, err := queryBool(q, "total")
	switch {
	case err != nil:
		return nil, err
	case counted && filter.Text != "":
		return nil, ffrtmp.FieldErrorf("total", "cannot be combined with q: such jobs are found page by page")
	}
	list, err := s.cfg.State.Jobs(c.Context(), filter, page)
	if err != nil {
		return nil, err
	}
	if counted {
		total, err := s.cfg.State.Total(c.Context(), filter)
		if err != nil {
			return nil, err
		}
		list.Total = &total
	}
	for i := range list.Jobs {
		s.jobView(&list.Jobs[i])
	}
	return &answer{body: list}, nil
}

// filterFields are where the values of a filter's fields go, by the names that queries and bodies use.
func filterFields(f *ffrtmp.Filter) map[string]*string {
	return map[string]*string{
		"status": (*string)(&f.Status), "queue": (*string)(&f.Queue), "priority": (*string)(&f.Priority),
		"scenario": &f.Scenario, "node_id": &f.NodeID, "label": &f.Label, "q": &f.Text,
	}
}

// filterTimes are the fields that are times.
func filterTimes(f *ffrtmp.Filter) map[string]*time.Time {
	return map[string]*time.Time{"created_after": &f.CreatedAfter, "created_before": &f.CreatedBefore}
}

func parseFilter(q url.Values) (f ffrtmp.Filter, err error) {
	for name, field := range filterFields(&f) {
		*field = q.Get(name)
	}
	for name, field := range filterTimes(&f) {
		if q.Has(name) {
			if *field, err = parseTime(name, q.Get(name)); err != nil {
				return f, err
			}
		}
	}
	return f, f.Validate()
}

func parseTime(name, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || t.Year() < 1970 || t.Year() > maxYear {
		return t, ffrtmp.FieldErrorf(name, "%q is not a time such as 2026-01-02T03:04:05Z", text)
	}
	return t, nil
}

// maxYear is the last whose times fit into nanoseconds since 1970.
const maxYear = 2261

func parsePage(q url.Values) (p ffrtmp.Page, err error) {
	p.Order, p.Sort = ffrtmp.Order(q.Get("order")), ffrtmp.Sort(q.Get("sort"))
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
