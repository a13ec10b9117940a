package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
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

// Media describes input and output of one attempt as ffprobe sees them, and how fast it went; attempt 0 is the newest.
func (c *Client) Media(ctx context.Context, id string, attempt int, opts ...Option) (ffrtmp.JobMedia, error) {
	var m ffrtmp.JobMedia
	call := read(jobPath(id, "media"), &m, opts)
	if attempt > 0 {
		call.query.Set("attempt", strconv.Itoa(attempt))
	}
	err := c.do(ctx, call)
	return m, err
}

// FollowLogs copies the log of an attempt to w as it is written, until the
// attempt ends; attempt 0 is the newest. After a broken connection it resumes at
// the byte where the connection broke, until the context ends. Masters keep only
// the end of a log: a line such as "[120 bytes of the log are no longer kept]" marks
// a gap.
func (c *Client) FollowLogs(ctx context.Context, id string, attempt int, w io.Writer, opts ...Option) error {
	call := read(jobPath(id, "logs"), nil, append([]Option{Persist()}, opts...))
	call.query.Set("follow", "true")
	if attempt > 0 {
		call.query.Set("attempt", strconv.Itoa(attempt))
	}
	out := &logWriter{w: w}
	call.stream = func(h http.Header, body io.Reader) error {
		if number := h.Get(ffrtmp.LogAttemptHeader); number != "" {
			call.query.Set("attempt", number) // the newest may soon be another one
		}
		if from, err := strconv.ParseInt(h.Get(ffrtmp.LogOffsetHeader), 10, 64); err == nil {
			out.seek(from)
		}
		_, err := io.Copy(out, body)
		if out.err != nil {
			return fmt.Errorf("client: writing the log: %w", out.err)
		}
		if err != nil {
			call.query.Set("offset", strconv.FormatInt(out.offset, 10))
			return &failure{err: err}
		}
		return nil
	}
	return c.do(ctx, call)
}

// logWriter copies a log and knows its position in it. It keeps the writer's error
// apart from the reader's.
type logWriter struct {
	w       io.Writer
	offset  int64 // in the attempt's log, of what comes next
	midLine bool
	err     error
}

func (l *logWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if n > 0 {
		l.offset += int64(n)
		l.midLine = p[n-1] != '\n'
	}
	if err != nil {
		l.err = err
	}
	return n, err
}

// seek notes where what comes next begins, and writes how many bytes are missing.
func (l *logWriter) seek(offset int64) {
	missing := offset - l.offset
	l.offset = offset
	if missing <= 0 || l.err != nil {
		return
	}
	text := fmt.Sprintf("[%d bytes of the log are no longer kept]\n", missing)
	if l.midLine {
		text = "\n" + text
	}
	l.midLine = false
	_, l.err = io.WriteString(l.w, text)
}
