package api

import (
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// audit returns a page of the audit log, newest first.
func (s *Server) audit(c *call) (*answer, error) {
	q := c.URL.Query()
	page := ffrtmp.AuditPage{Cursor: q.Get("cursor"), Limit: ffrtmp.DefaultLimit}
	var err error
	if q.Has("limit") {
		if page.Limit, err = strconv.Atoi(q.Get("limit")); err != nil || page.Limit < 1 ||
			page.Limit > ffrtmp.MaxLimit {
			return nil, ffrtmp.FieldErrorf("limit", "must be between 1 and %d", ffrtmp.MaxLimit)
		}
	}
	if q.Has("since") {
		if page.Since, err = time.Parse(time.RFC3339, q.Get("since")); err != nil {
			return nil, ffrtmp.FieldErrorf("since", "%q is not a time such as 2026-01-02T03:04:05Z", q.Get("since"))
		}
	}
	list, err := s.cfg.State.Audit(c.Context(), page)
	if err != nil {
		return nil, err
	}
	return &answer{body: list}, nil
}
