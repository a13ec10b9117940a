package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// CreateKey creates an API key. Only this answer contains its secret. It needs the scope admin.
func (c *Client) CreateKey(ctx context.Context, k ffrtmp.NewKey, opts ...Option) (ffrtmp.CreatedKey, error) {
	var created ffrtmp.CreatedKey
	err := c.do(ctx, write(http.MethodPost, "/keys", k, &created, opts))
	return created, err
}

// SignInKey creates a key that opens one session of the web console within a minute, with the rights of the client's
// own key.
func (c *Client) SignInKey(ctx context.Context, opts ...Option) (ffrtmp.CreatedKey, error) {
	var created ffrtmp.CreatedKey
	err := c.do(ctx, write(http.MethodPost, "/session", ffrtmp.NewSession{OneTime: true}, &created, opts))
	return created, err
}

// Keys returns all keys, oldest first. Expired and revoked ones are kept for a while. It needs the scope admin.
func (c *Client) Keys(ctx context.Context, opts ...Option) ([]ffrtmp.Key, error) {
	var list ffrtmp.KeyList
	err := c.do(ctx, read("/keys", &list, opts))
	return list.Keys, err
}

// RevokeKey revokes a key. Revoking a revoked key is no error. It needs the scope admin.
func (c *Client) RevokeKey(ctx context.Context, id string, opts ...Option) error {
	return c.do(ctx, write(http.MethodDelete, join("/keys", id, ""), nil, nil, opts))
}

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
