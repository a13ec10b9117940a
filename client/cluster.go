package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/ffrtmp/ffrtmp"
)

const healthPath = "/health"

// Cluster returns the leader, the Raft indexes and the members. With Stale it is the own view of the master that
// answers.
func (c *Client) Cluster(ctx context.Context, opts ...Option) (ffrtmp.ClusterStatus, error) {
	var s ffrtmp.ClusterStatus
	err := c.do(ctx, read("/cluster", &s, opts))
	return s, err
}

// TransferLeader transfers leadership to another master, chosen by the leader. It needs the scope admin.
func (c *Client) TransferLeader(ctx context.Context, opts ...Option) error {
	return c.do(ctx, write(http.MethodPost, "/cluster/leader/transfer", nil, nil, opts))
}

// Health asks one master, by its API URL, for its health. It tries once, and needs no API key.
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
