package client

import (
	"context"
	"net/http"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Register registers a node or updates its registration. It needs the scope agent.
func (c *Client) Register(ctx context.Context, r ffrtmp.Registration, opts ...Option) (ffrtmp.Registered, error) {
	var answer ffrtmp.Registered
	err := c.do(ctx, report("/nodes/register", r, &answer, opts))
	return answer, err
}

// Heartbeat renews the leases of the attempts that it lists, and only those, and returns commands for the node. With
// h.Wait it is a long poll that returns early when a command is due. An unknown node, an ffrtmp.NotFound error, must
// register again. It needs the scope agent.
func (c *Client) Heartbeat(ctx context.Context, nodeID string, h ffrtmp.Heartbeat,
	opts ...Option,
) (ffrtmp.HeartbeatResponse, error) {
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

// Claim claims up to r.Max attempts to run, and waits for up to r.Wait for the first. Each job has a lease, which its
// heartbeats and results must carry. It needs the scope agent.
func (c *Client) Claim(ctx context.Context, r ffrtmp.ClaimRequest, opts ...Option) ([]ffrtmp.Job, error) {
	var answer ffrtmp.ClaimResponse
	call := report("/jobs/claim", r, &answer, opts)
	call.wait = time.Duration(r.Wait)
	err := c.do(ctx, call)
	return answer.Jobs, err
}

// Result reports the result of an attempt: ffrtmp.ResultPublishing before its output is put in place, then
// ffrtmp.ResultCompleted; or ffrtmp.ResultFailed or ffrtmp.ResultCanceled. An ffrtmp.StaleAttempt error means that the
// attempt no longer belongs to the node: its output must not be published. It needs the scope agent.
func (c *Client) Result(ctx context.Context, r ffrtmp.Result, opts ...Option) (ffrtmp.ResultResponse, error) {
	var answer ffrtmp.ResultResponse
	err := c.do(ctx, report("/results", r, &answer, opts))
	return answer, err
}

// Nodes returns all nodes.
func (c *Client) Nodes(ctx context.Context, opts ...Option) ([]ffrtmp.Node, error) {
	var list ffrtmp.NodeList
	err := c.do(ctx, read("/nodes", &list, opts))
	return list.Nodes, err
}

// Node returns a node by its id.
func (c *Client) Node(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	var n ffrtmp.Node
	err := c.do(ctx, read(nodePath(id, ""), &n, opts))
	return n, err
}

// RemoveNode removes a node. Removing a busy one is an ffrtmp.Conflict, unless with force, which requeues its jobs. It
// needs the scope admin.
func (c *Client) RemoveNode(ctx context.Context, id string, force bool, opts ...Option) error {
	call := write(http.MethodDelete, nodePath(id, ""), nil, nil, opts)
	if force {
		call.query.Set("force", "true")
	}
	return c.do(ctx, call)
}

// Drain drains a node: it finishes running jobs and accepts no new ones. What it still runs after the deadline is
// requeued, unless the deadline is 0. It needs the scope admin.
func (c *Client) Drain(ctx context.Context, id string, deadline time.Duration, opts ...Option) (ffrtmp.Node, error) {
	if deadline == 0 {
		return c.place(ctx, id, "drain", nil, opts)
	}
	return c.place(ctx, id, "drain", ffrtmp.Drain{Deadline: deadline.String()}, opts)
}

// Cordon stops a node from accepting new jobs. It needs the scope admin.
func (c *Client) Cordon(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	return c.place(ctx, id, "cordon", nil, opts)
}

// Uncordon reverts Cordon and Drain. It needs the scope admin.
func (c *Client) Uncordon(ctx context.Context, id string, opts ...Option) (ffrtmp.Node, error) {
	return c.place(ctx, id, "uncordon", nil, opts)
}

func (c *Client) place(ctx context.Context, id, verb string, body any, opts []Option) (ffrtmp.Node, error) {
	var n ffrtmp.Node
	err := c.do(ctx, write(http.MethodPost, nodePath(id, verb), body, &n, opts))
	return n, err
}

func nodePath(id, rest string) string { return join("/nodes", id, rest) }
