package client

import (
	"context"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
)

// CreateKey makes an API key. The answer alone has its secret.
func (c *Client) CreateKey(ctx context.Context, k ffrtmp.NewKey, opts ...Option) (ffrtmp.CreatedKey, error) {
	var created ffrtmp.CreatedKey
	err := c.do(ctx, write(http.MethodPost, "/keys", k, &created, opts))
	return created, err
}

// Keys returns every key, the oldest first; those that have ended, for a while, too.
func (c *Client) Keys(ctx context.Context, opts ...Option) ([]ffrtmp.Key, error) {
	var list ffrtmp.KeyList
	err := c.do(ctx, read("/keys", &list, opts))
	return list.Keys, err
}

// RevokeKey makes a key unusable. A revoked key may be revoked again.
func (c *Client) RevokeKey(ctx context.Context, id string, opts ...Option) error {
	return c.do(ctx, write(http.MethodDelete, join("/keys", id, ""), nil, nil, opts))
}
