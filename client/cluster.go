package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"

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

// TransferLeader transfers leadership to the master with an id or name; with "" the leader chooses one.
// It needs the scope admin.
func (c *Client) TransferLeader(ctx context.Context, member string, opts ...Option) error {
	body := ffrtmp.Leadership{Member: member}
	return c.do(ctx, write(http.MethodPost, "/cluster/leader/transfer", body, nil, opts))
}

// RemoveMember removes a master, by id or name. A change with risks, such as losing the quorum, is a Conflict
// unless it is forced. It needs the scope admin, as the other changes do.
func (c *Client) RemoveMember(ctx context.Context, member string, force bool, opts ...Option,
) (ffrtmp.MemberChange, error) {
	return c.changeMember(ctx, http.MethodDelete, member, "", force, opts)
}

// PromoteMember gives a master a vote.
func (c *Client) PromoteMember(ctx context.Context, member string, force bool, opts ...Option,
) (ffrtmp.MemberChange, error) {
	return c.changeMember(ctx, http.MethodPost, member, "/promote", force, opts)
}

// DemoteMember takes a master's vote, until it is promoted again.
func (c *Client) DemoteMember(ctx context.Context, member string, force bool, opts ...Option,
) (ffrtmp.MemberChange, error) {
	return c.changeMember(ctx, http.MethodPost, member, "/demote", force, opts)
}

func (c *Client) changeMember(ctx context.Context, method, member, action string, force bool, opts []Option,
) (change ffrtmp.MemberChange, err error) {
	call := write(method, "/cluster/members/"+url.PathEscape(member)+action, nil, &change, opts)
	if force {
		call.query.Set("force", "true")
	}
	err = c.do(ctx, call)
	return change, err
}

// Autopilot returns how the leader manages the masters by itself.
func (c *Client) Autopilot(ctx context.Context, opts ...Option) (a ffrtmp.Autopilot, err error) {
	err = c.do(ctx, read("/cluster/autopilot", &a, opts))
	return a, err
}

// SetAutopilot changes that, as far as the change says. It needs the scope admin.
func (c *Client) SetAutopilot(ctx context.Context, change ffrtmp.AutopilotChange, opts ...Option,
) (a ffrtmp.Autopilot, err error) {
	err = c.do(ctx, write(http.MethodPut, "/cluster/autopilot", change, &a, opts))
	return a, err
}

// GossipKeys lists the keys that encrypt the masters' gossip. It needs the scope admin, as the changes do.
func (c *Client) GossipKeys(ctx context.Context, opts ...Option) (list ffrtmp.GossipKeyList, err error) {
	err = c.do(ctx, read("/cluster/gossip-keys", &list, opts))
	return list, err
}

// InstallGossipKey gives every master a key, in base64, which none encrypts with yet. With "" the leader generates
// one, and only this answer contains it.
func (c *Client) InstallGossipKey(ctx context.Context, key string, opts ...Option) (ffrtmp.GossipKeyChange, error) {
	return c.changeGossipKey(ctx, http.MethodPost, "", ffrtmp.NewGossipKey{Key: key}, false, opts)
}

// UseGossipKey makes every master encrypt with the key of a fingerprint. While a master lacks it, that is a Conflict
// unless it is forced.
func (c *Client) UseGossipKey(ctx context.Context, fingerprint string, force bool, opts ...Option,
) (ffrtmp.GossipKeyChange, error) {
	return c.changeGossipKey(ctx, http.MethodPost, "/"+url.PathEscape(fingerprint)+"/use", nil, force, opts)
}

// RemoveGossipKey removes a key that no master encrypts with.
func (c *Client) RemoveGossipKey(ctx context.Context, fingerprint string, force bool, opts ...Option,
) (ffrtmp.GossipKeyChange, error) {
	return c.changeGossipKey(ctx, http.MethodDelete, "/"+url.PathEscape(fingerprint), nil, force, opts)
}

func (c *Client) changeGossipKey(ctx context.Context, method, path string, body any, force bool, opts []Option,
) (change ffrtmp.GossipKeyChange, err error) {
	call := write(method, "/cluster/gossip-keys"+path, body, &change, opts)
	if force {
		call.query.Set("force", "true")
	}
	err = c.do(ctx, call)
	return change, err
}

// Health asks one master, by its API URL, for its health. It tries once, and needs no API key.
func (c *Client) Health(ctx context.Context, url string) (ffrtmp.Health, error) {
	var h ffrtmp.Health
	base, err := normalise(url)
	if err != nil {
		return h, err
	}
	call := newCall(http.MethodGet, healthPath, nil, &h, nil)
	_, err = c.try(ctx, call, base, nil, false)
	var f *failure
	if errors.As(err, &f) {
		var tried attempts
		tried.add(base, f.err)
		err = tried.end(call, context.Cause(ctx))
	}
	return h, err
}
