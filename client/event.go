package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

const (
	// eventSilence is how long a stream of events may be silent; masters send a keep-alive every 15 seconds.
	eventSilence = 45 * time.Second
	// maxEventLine bounds a line of the stream.
	maxEventLine = 1 << 20
)

// Events yields the events after since, each once and in order, until the context ends or the loop is left. since is
// the ID of an event (Event.ID().String()), the Raft index of a write (Meta.Index), "0" for all events that are kept
// (24 hours), or "" for events from now on. A broken stream is resumed at another master, without a gap or a
// repetition. The error that ends the loop comes without an event; its code is ffrtmp.Compacted if events after since
// are no longer kept.
func (c *Client) Events(ctx context.Context, since string, opts ...Option) iter.Seq2[ffrtmp.Event, error] {
	return func(yield func(ffrtmp.Event, error) bool) {
		call := read("/events", nil, append([]Option{Persist()}, opts...))
		call.local = true
		call.silence = eventSilence
		at := func(id string) { call.query.Set("since", id) }
		if since != "" {
			at(since)
		}
		call.stream = func(_ http.Header, body io.Reader) error {
			err := readEvents(body, at, func(e ffrtmp.Event) bool { return yield(e, nil) })
			if errors.Is(err, errLeft) {
				return err
			}
			return &failure{err: err}
		}
		if err := c.do(ctx, call); !errors.Is(err, errLeft) {
			yield(ffrtmp.Event{}, err)
		}
	}
}

// OfTypes makes Events yield events of some types only.
func OfTypes(types ...ffrtmp.EventType) Option {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return func(c *call) { c.query.Set("type", strings.Join(words, ",")) }
}

// WithProgress makes Events yield the live progress of running jobs, too: events of the type ffrtmp.JobProgress, at
// most one a second a job, which are not resumed.
func WithProgress() Option { return func(c *call) { c.query.Set("progress", "true") } }

// OfJob makes Events yield events of one job only, named by id or sequence number.
func OfJob(ref string) Option { return func(c *call) { c.query.Set("job_id", ref) } }

// errLeft means that the loop over the events was left.
var errLeft = errors.New("loop left")

// readEvents reads Server-Sent Events: it calls at with each id, and then do with the event, until do returns false. It
// always returns an error.
func readEvents(body io.Reader, at func(id string), do func(ffrtmp.Event) bool) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEventLine)
	var id, data string
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			data = value
		}
		if lines.Text() != "" {
			continue
		}
		if id != "" {
			at(id)
		}
		if data == "" {
			continue
		}
		var e ffrtmp.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("event %s: %w", id, err)
		}
		data = ""
		if !do(e) {
			return errLeft
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
