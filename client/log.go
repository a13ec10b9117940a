package client

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// Logs returns the tail of the log of one attempt; attempt 0 is the newest.
func (c *Client) Logs(ctx context.Context, id string, attempt int, opts ...Option) (string, error) {
	var answer struct {
		Logs string `json:"logs"`
	}
	call := read(jobPath(id, "logs"), &answer, opts)
	if attempt > 0 {
		call.query.Set("attempt", strconv.Itoa(attempt))
	}
	err := c.do(ctx, call)
	return answer.Logs, err
}

// FollowLogs copies the log of an attempt to w as it is written, until the
// attempt ends; attempt 0 is the newest. A connection that breaks is taken up
// again at the byte where it broke, until the context ends.
func (c *Client) FollowLogs(ctx context.Context, id string, attempt int, w io.Writer, opts ...Option) error {
	call := read(jobPath(id, "logs"), nil, append([]Option{Persist()}, opts...))
	call.query.Set("follow", "true")
	if attempt > 0 {
		call.query.Set("attempt", strconv.Itoa(attempt))
	}
	out := &counter{w: w}
	call.stream = func(body io.Reader) error {
		_, err := io.Copy(out, body)
		if out.err != nil {
			return fmt.Errorf("client: writing the log: %w", out.err)
		}
		if err != nil {
			call.query.Set("offset", strconv.FormatInt(out.n, 10))
			return &failure{err: err}
		}
		return nil
	}
	return c.do(ctx, call)
}

// counter counts what it passes on, and keeps the writer's error apart from the
// reader's.
type counter struct {
	w   io.Writer
	n   int64
	err error
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err != nil {
		c.err = err
	}
	return n, err
}
