package client

import (
	"context"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Audit returns a page of the audit log, newest first. It needs the scope admin.
func (c *Client) Audit(ctx context.Context, page ffrtmp.AuditPage, opts ...Option) (ffrtmp.AuditList, error) {
	var list ffrtmp.AuditList
	call := read("/audit", &list, opts)
	if !page.Since.IsZero() {
		call.query.Set("since", page.Since.UTC().Format(time.RFC3339Nano))
	}
	if page.Limit != 0 {
		call.query.Set("limit", strconv.Itoa(page.Limit))
	}
	if page.Cursor != "" {
		call.query.Set("cursor", page.Cursor)
	}
	err := c.do(ctx, call)
	return list, err
}
