package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// maxAnswer bounds an answer: a full page of 10,000 jobs with the largest parameters.
const maxAnswer = 1 << 30

// maxUnread is how much of an unused answer is read to keep its connection.
const maxUnread = 64 << 10

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// do executes a call at one master after another, until one answers it, the context ends or the patience runs out.
func (c *Client) do(ctx context.Context, call *call) error {
	var body []byte
	if call.body != nil {
		var err error
		if body, err = json.Marshal(call.body); err != nil {
			return fmt.Errorf("client: %s: %w", call.name(), err)
		}
	}
	var tried attempts
	var deadline time.Time
	for {
		m, rest := c.masters.pick(time.Now(), !call.local)
		if !deadline.IsZero() && !call.persist && time.Now().Add(rest).After(deadline) {
			return tried.end(call, fmt.Errorf("gave up after %v", c.patience))
		}
		if err := ctxtime.Sleep(ctx, rest); err != nil {
			return tried.end(call, err)
		}
		hurry := c.masters.spare(m, time.Now()) && !tried.includes(m.url)
		meta, err := c.try(ctx, call, m.url, body, hurry)
		var f *failure
		if !errors.As(err, &f) {
			c.masters.answered(m, meta.Leader)
			if call.meta != nil {
				*call.meta = meta
			}
			return err
		}
		tried.add(m.url, f.err)
		tried.unknown = tried.unknown || f.unknown
		c.log.Debug("try failed", "master", m.url, "call", call.name(), "request_id", call.requestID, "error", f.err)
		if ctx.Err() != nil {
			return tried.end(call, context.Cause(ctx))
		}
		switch {
		case f.retryAfter > 0:
			c.masters.refused(m, time.Now(), f.retryAfter)
		case errors.Is(f.err, errSlowConnect):
			c.masters.slow(m, time.Now())
		default:
			c.masters.failed(m, time.Now())
		}
		if f.unknown && !call.repeats || tried.hopeless(c.masters.count()) {
			return tried.end(call, nil)
		}
		if deadline.IsZero() && c.patience > 0 && !errors.Is(f.err, errSlowConnect) {
			deadline = time.Now().Add(c.patience)
		}
	}
}

// try sends the request to one master, once; in a hurry, it gives up early on one that cannot be connected to. A
// *failure means that another try may succeed.
func (c *Client) try(ctx context.Context, call *call, base string, body []byte, hurry bool) (Meta, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := c.tryTimeout + call.wait
	silence := time.AfterFunc(limit, func() { cancel(fmt.Errorf("no answer in %v", limit)) })
	defer silence.Stop()

	var contact contact
	if hurry {
		defer contact.hurry(cancel)()
	}
	req, err := newRequest(contact.observe(ctx), call, base, body)
	if err != nil {
		return Meta{}, fmt.Errorf("client: %w", err)
	}
	if key := *c.apiKey.Load(); key != "" && call.path != healthPath {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = transportError(ctx, err)
		return Meta{}, &failure{err: err, unknown: !contact.unsent(err)}
	}
	defer resp.Body.Close()
	meta := metaOf(resp.Header, resp.StatusCode, base)
	answer := &impatient{body: resp.Body, silence: silence, limit: limit}
	switch {
	case resp.StatusCode >= 300:
		err = refusal(resp, answer)
	case call.stream != nil:
		silence.Stop()
		var body io.Reader = resp.Body
		if call.silence > 0 {
			body = &watched{
				body: body, limit: call.silence,
				end: func() { cancel(fmt.Errorf("nothing came for %v", call.silence)) },
			}
		}
		if err = call.stream(resp.Header, body); err != nil {
			return meta, err
		}
	case call.out != nil:
		if err = json.NewDecoder(io.LimitReader(answer, maxAnswer)).Decode(call.out); err != nil {
			err = &failure{err: fmt.Errorf("reading the answer: %w", transportError(ctx, err)), unknown: true}
		}
	}
	// Only an answer that was read to its end leaves its connection for the next.
	_, _ = io.CopyN(io.Discard, answer, maxUnread)
	return meta, err
}

func newRequest(ctx context.Context, call *call, base string, body []byte) (*http.Request, error) {
	address := base + call.path
	if len(call.query) > 0 {
		address += "?" + call.query.Encode()
	}
	var reader io.Reader
	switch {
	case call.file != nil:
		reader = call.file.reader()
	case body != nil:
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, call.method, address, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set(ffrtmp.RequestIDHeader, call.requestID)
	if call.key != "" {
		req.Header.Set(ffrtmp.IdempotencyHeader, call.key)
	}
	switch {
	case call.file != nil:
		req.ContentLength = call.file.Size
		req.Header.Set("Content-Type", "application/octet-stream")
	case body != nil:
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// impatient extends the time limit of the try with every successful read.
type impatient struct {
	body    io.Reader
	silence *time.Timer
	limit   time.Duration
}

func (r *impatient) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.silence.Reset(r.limit)
	return n, err
}

// watched ends the try when a read takes too long. It does not limit the time between reads.
type watched struct {
	body  io.Reader
	limit time.Duration
	end   func()
}

func (r *watched) Read(p []byte) (int, error) {
	timer := time.AfterFunc(r.limit, r.end)
	defer timer.Stop()
	return r.body.Read(p)
}
