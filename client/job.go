package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Submit adds a job to the queue and returns it. An invalid spec is an ffrtmp.Invalid error that names the field.
func (c *Client) Submit(ctx context.Context, spec ffrtmp.Spec, opts ...Option) (ffrtmp.Job, error) {
	var j ffrtmp.Job
	err := c.do(ctx, write(http.MethodPost, "/jobs", spec, &j, opts))
	return j, err
}

// DryRun returns what Submit would create, and the command that a node, by id or name, would run; "" chooses one that
// can run it.
func (c *Client) DryRun(ctx context.Context, spec ffrtmp.Spec, node string, opts ...Option) (ffrtmp.DryRun, error) {
	var answer ffrtmp.DryRun
	call := write(http.MethodPost, "/jobs", spec, &answer, opts)
	call.query.Set("dry_run", "true")
	if node != "" {
		call.query.Set("node", node)
	}
	err := c.do(ctx, call)
	return answer, err
}

// SubmitBatch adds all jobs or none, up to ffrtmp.MaxBatch.
func (c *Client) SubmitBatch(ctx context.Context, specs []ffrtmp.Spec, opts ...Option) (ffrtmp.Submitted, error) {
	body := struct {
		Jobs []ffrtmp.Spec `json:"jobs"`
	}{specs}
	var s ffrtmp.Submitted
	err := c.do(ctx, write(http.MethodPost, "/jobs/batch", body, &s, opts))
	return s, err
}

// Job returns a job by its id or sequence number, with its attempts and log. An unknown one is an ffrtmp.NotFound
// error.
func (c *Client) Job(ctx context.Context, id string, opts ...Option) (ffrtmp.Job, error) {
	var j ffrtmp.Job
	err := c.do(ctx, read(jobPath(id, ""), &j, opts))
	return j, err
}

// Cancel cancels a job and stops its ffmpeg within seconds. Canceling a canceled job is no error; in any other final
// state it is an ffrtmp.Conflict.
func (c *Client) Cancel(ctx context.Context, id string, opts ...Option) error {
	return c.act(ctx, id, ffrtmp.Cancel, opts)
}

// Pause pauses a running job, or keeps a pending one from starting. In any other state it is an ffrtmp.Conflict.
func (c *Client) Pause(ctx context.Context, id string, opts ...Option) error {
	return c.act(ctx, id, ffrtmp.Pause, opts)
}

// Resume resumes a paused job. In any other state it is an ffrtmp.Conflict.
func (c *Client) Resume(ctx context.Context, id string, opts ...Option) error {
	return c.act(ctx, id, ffrtmp.Resume, opts)
}

// Retry requeues a failed or canceled job. In any other state it is an ffrtmp.Conflict.
func (c *Client) Retry(ctx context.Context, id string, opts ...Option) error {
	return c.act(ctx, id, ffrtmp.Retry, opts)
}

func (c *Client) act(ctx context.Context, id string, a ffrtmp.Action, opts []Option) error {
	return c.do(ctx, write(http.MethodPost, jobPath(id, string(a)), nil, nil, opts))
}

// bulkWait is how long a bulk request may take beyond another one.
const bulkWait = 2 * time.Minute

// ChangeMany changes all jobs that the filter selects and whose state allows it, and returns their number; with
// dryRun it only counts them. An empty filter is refused.
func (c *Client) ChangeMany(ctx context.Context, f ffrtmp.Filter, change ffrtmp.Change, dryRun bool,
	opts ...Option,
) (int, error) {
	body := struct {
		Filter   ffrtmp.Filter   `json:"filter"`
		Priority ffrtmp.Priority `json:"priority,omitempty"`
	}{f, change.Priority}
	path := "/jobs/priority"
	if change.Action != "" {
		path = "/jobs/" + string(change.Action)
	}
	var answer ffrtmp.Changed
	call := write(http.MethodPost, path, body, &answer, opts)
	call.wait = bulkWait
	if dryRun {
		call.query.Set("dry_run", "true")
	}
	err := c.do(ctx, call)
	return answer.Count, err
}

// CancelMany cancels all jobs that the filter selects and returns their number. An empty filter is refused.
func (c *Client) CancelMany(ctx context.Context, f ffrtmp.Filter, opts ...Option) (int, error) {
	return c.ChangeMany(ctx, f, ffrtmp.Change{Action: ffrtmp.Cancel}, false, opts...)
}

// Patch changes queue, priority, labels or retries of a pending job and returns it. In any other state it is an
// ffrtmp.Conflict.
func (c *Client) Patch(ctx context.Context, id string, p ffrtmp.Patch, opts ...Option) (ffrtmp.Job, error) {
	var j ffrtmp.Job
	err := c.do(ctx, write(http.MethodPatch, jobPath(id, ""), p, &j, opts))
	return j, err
}

// Catalogue returns what jobs may ask for: scenarios, parameters, encoders, presets and containers.
func (c *Client) Catalogue(ctx context.Context, opts ...Option) (ffrtmp.Catalogue, error) {
	var answer ffrtmp.Catalogue
	err := c.do(ctx, read("/catalogue", &answer, opts))
	return answer, err
}

// Stats returns what happened to jobs in the last window, from one minute to 24 hours; 0 is one hour.
func (c *Client) Stats(ctx context.Context, window time.Duration, opts ...Option) (ffrtmp.Stats, error) {
	var answer ffrtmp.Stats
	call := read("/stats", &answer, opts)
	if window != 0 {
		call.query.Set("window", window.String())
	}
	err := c.do(ctx, call)
	return answer, err
}

// Explain returns why a job is waiting, or its attempts.
func (c *Client) Explain(ctx context.Context, id string, opts ...Option) (ffrtmp.Explanation, error) {
	var e ffrtmp.Explanation
	err := c.do(ctx, read(jobPath(id, "explain"), &e, opts))
	return e, err
}

func jobPath(id, rest string) string { return join("/jobs", id, rest) }

func join(root, id, rest string) string {
	p := root + "/" + url.PathEscape(id)
	if rest != "" {
		p += "/" + rest
	}
	return p
}
