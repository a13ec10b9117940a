package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
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
	out := &sink{w: w}
	var offset int64 // in the attempt's log, of what is to come
	call.stream = func(h http.Header, body io.Reader) error {
		if from, err := strconv.ParseInt(h.Get("X-Ffrtmp-Log-Offset"), 10, 64); err == nil {
			offset = from // the master no longer has what is before
		}
		n, err := io.Copy(out, body)
		offset += n
		if out.err != nil {
			return fmt.Errorf("client: writing the log: %w", out.err)
		}
		if err != nil {
			call.query.Set("offset", strconv.FormatInt(offset, 10))
			return &failure{err: err}
		}
		return nil
	}
	return c.do(ctx, call)
}

// sink keeps the writer's error apart from the reader's.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
