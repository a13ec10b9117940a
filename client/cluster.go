package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
)

const healthPath = "/health"

// Cluster returns the masters, and how far each of them is.
func (c *Client) Cluster(ctx context.Context, opts ...Option) (ffrtmp.ClusterStatus, error) {
	var s ffrtmp.ClusterStatus
	err := c.do(ctx, read("/cluster", &s, opts))
	return s, err
}

// TransferLeader has the leader hand leadership over to another master.
func (c *Client) TransferLeader(ctx context.Context, opts ...Option) error {
	return c.do(ctx, write(http.MethodPost, "/cluster/leader/transfer", nil, nil, opts))
}

// Health asks one master, by its API URL, whether it lives. It asks once.
func (c *Client) Health(ctx context.Context, url string) (ffrtmp.Health, error) {
	var h ffrtmp.Health
	base, err := normalise(url)
	if err != nil {
		return h, err
	}
	call := newCall(http.MethodGet, healthPath, nil, &h, nil)
	_, err = c.try(ctx, call, base, nil)
	var f *failure
	if errors.As(err, &f) {
		var tried attempts
		tried.add(base, f.err)
		err = tried.end(call, context.Cause(ctx))
	}
	return h, err
}
