package client

import (
	"context"
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Register makes a node known, or renews what is known of it.
func (c *Client) Register(ctx context.Context, r ffrtmp.Registration, opts ...Option) (ffrtmp.Registered, error) {
	var answer ffrtmp.Registered
	err := c.do(ctx, report("/nodes/register", r, &answer, opts))
	return answer, err
}

// Heartbeat renews the attempts that it lists, and only those.
func (c *Client) Heartbeat(ctx context.Context, nodeID string, h ffrtmp.Heartbeat, opts ...Option) (ffrtmp.HeartbeatResponse, error) {
	if h.Attempts == nil {
		// Left out, they would be taken for v2.2's: renew all.
		h.Attempts = []ffrtmp.AttemptReport{}
	}
	var answer ffrtmp.HeartbeatResponse
	call := report(nodePath(nodeID, "heartbeat"), h, &answer, opts)
	call.wait = time.Duration(h.Wait)
	err := c.do(ctx, call)
	return answer, err
}

// Claim asks for attempts to run, waiting for up to r.Wait for the first.
func (c *Client) Claim(ctx context.Context, r ffrtmp.ClaimRequest, opts ...Option) ([]ffrtmp.Job, error) {
	var answer ffrtmp.ClaimResponse
	call := report("/jobs/claim", r, &answer, opts)
	call.wait = time.Duration(r.Wait)
	err := c.do(ctx, call)
	return answer.Jobs, err
}

// Result reports how an attempt stands or ended. A ffrtmp.StaleAttempt error means
// that it is no longer the node's, and that nothing may be published.
func (c *Client) Result(ctx context.Context, r ffrtmp.Result, opts ...Option) (ffrtmp.ResultResponse, error) {
	var answer ffrtmp.ResultResponse
	err := c.do(ctx, report("/results", r, &answer, opts))
	return answer, err
}

// Nodes returns every node.
func (c *Client) Nodes(ctx context.Context, opts ...Option) ([]ffrtmp.Node, error) {
	var list ffrtmp.NodeList
	err := c.do(ctx, read("/nodes", &list, opts))
	return list.Nodes, err
}

// Node returns one node.
func (c *Client) Node(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	var n ffrtmp.Node
	err := c.do(ctx, read(nodePath(id, ""), &n, opts))
	return n, err
}

// RemoveNode forgets a node. While it is busy that is a ffrtmp.Conflict, unless with
// force, which takes what it holds away from it.
func (c *Client) RemoveNode(ctx context.Context, id string, force bool, opts ...Option) error {
	call := write(http.MethodDelete, nodePath(id, ""), nil, nil, opts)
	if force {
		call.query.Set("force", "true")
	}
	return c.do(ctx, call)
}

// Drain gives a node nothing new until it is empty.
func (c *Client) Drain(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	return c.place(ctx, id, "drain", opts)
}

// Cordon gives a node nothing new.
func (c *Client) Cordon(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	return c.place(ctx, id, "cordon", opts)
}

// Uncordon undoes Cordon and Drain.
func (c *Client) Uncordon(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	return c.place(ctx, id, "uncordon", opts)
}

func (c *Client) place(ctx context.Context, id, verb string, opts []Option) (ffrtmp.Node, error) {
	var n ffrtmp.Node
	err := c.do(ctx, write(http.MethodPost, nodePath(id, verb), nil, &n, opts))
	return n, err
}

func nodePath(id, rest string) string { return join("/nodes", id, rest) }
