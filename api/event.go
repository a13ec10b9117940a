package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// eventStreamType is the media type of Server-Sent Events. We write them ourselves, in ten
// lines: libraries keep topics and buffers in memory, but our events are in the state, with ids
// that are valid on every master.
const eventStreamType = "text/event-stream"

const (
	maxEventStreams   = 10_000           // of one master
	keepAliveInterval = 15 * time.Second // between two messages of an idle stream
	// eventContact is how long after the last contact with the leader a stream ends. Without
	// it, a partitioned master would send keep-alives but no events.
	eventContact = 30 * time.Second
)

// streamEvents streams events from this master's own state. Their ids are the same on every
// master, so a reader can resume at another one.
func (s *Server) streamEvents(c *call) (*answer, error) {
	filter, err := parseEventFilter(c)
	if err != nil {
		return nil, err
	}
	reader := eventStream{server: s, filter: filter}
	if filter.progress {
		reader.progress = &progressSender{server: s, call: c}
	}
	if !s.local(consistency{stale: true, maxStale: eventContact}) {
		return nil, ffrtmp.Errorf(ffrtmp.NoLeader, "this master has not heard from the leader for %s", eventContact)
	}
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	if reader.after, err = s.eventsFrom(ctx, c); err != nil {
		return nil, err
	}
	select {
	case s.eventStreams <- struct{}{}:
		context.AfterFunc(c.Context(), func() { <-s.eventStreams }) // when the request ends
	default:
		return nil, ffrtmp.Errorf(ffrtmp.RateLimited, "too many event streams: at most %d per master",
			maxEventStreams)
	}
	return &answer{streamType: eventStreamType, stream: func(ctx context.Context, w *flushWriter) error {
		reader.w = w
		if err := reader.run(ctx); s.stopping.Err() == nil {
			return err
		}
		return nil
	}}, nil
}

// eventsFrom returns the id after which to start: the one that the reader has, or the newest
// of the state. This master may be behind the reader.
func (s *Server) eventsFrom(ctx context.Context, c *call) (ffrtmp.EventID, error) {
	field, text := "since", c.URL.Query().Get("since")
	if last := c.Header.Get("Last-Event-ID"); last != "" {
		field, text = "Last-Event-ID", last // a browser reconnects with the same address
	}
	if text == "" {
		return s.cfg.State.LastEvent(ctx)
	}
	after, err := ffrtmp.ParseEventID(text)
	if err != nil {
		return after, ffrtmp.FieldErrorf(field, "%v", err)
	}
	if err := s.prepareRead(ctx, consistency{index: after.Index, wait: defaultIndexWait}); err != nil {
		return after, err
	}
	// An id that is too old is refused now, before the status is sent.
	_, _, err = s.cfg.State.Events(ctx, after)
	return after, err
}

// eventStream is one reader's stream.
type eventStream struct {
	server   *Server
	w        *flushWriter
	tail     *eventTail
	after    ffrtmp.EventID
	filter   eventFilter
	progress *progressSender // or nil
	silent   time.Time       // when a keep-alive is due
	sent     time.Time       // the last write
}

// progressPace is the least time between two writes to a stream with progress, which is for eyes: however many events
// there are, an open browser costs four writes a second.
const progressPace = 250 * time.Millisecond

// run writes events until ctx is done.
func (e *eventStream) run(ctx context.Context) error {
	//nolint:contextcheck // the reader outlives the stream that starts it
	e.tail = e.server.events.join(e.server.stopping, e.server.cfg.State)
	defer e.server.events.leave()
	if err := e.keepAlive(); err != nil {
		return err
	}
	for {
		part, err := e.tail.after(e.after)
		if err == nil && part.behind {
			part.frames, part.upTo, err = e.catchUp(ctx)
		}
		if err == nil {
			err = e.send(ctx, part)
		}
		if err == nil && !part.more {
			err = e.wait(ctx, part.changed)
			if err == nil && e.progress != nil {
				err = e.pace(ctx)
			}
		}
		if err != nil {
			return err
		}
	}
}

// catchUp reads events from the state that the tail does not have.
func (e *eventStream) catchUp(ctx context.Context) ([]eventFrame, ffrtmp.EventID, error) {
	select {
	case e.server.catchingUp <- struct{}{}:
		defer func() { <-e.server.catchingUp }()
	case <-ctx.Done():
		return nil, e.after, ctx.Err()
	}
	list, upTo, err := e.server.cfg.State.Events(ctx, e.after)
	if err != nil {
		return nil, e.after, err
	}
	frames, err := encodeFrames(list)
	return frames, upTo, err
}

// send writes the events that the reader selects, and progress that is due.
func (e *eventStream) send(ctx context.Context, part tailPart) error {
	e.after = part.upTo
	text := e.filter.join(part.frames)
	if len(text) > 0 {
		e.silent = time.Now().Add(e.server.keepAlive)
	}
	if text = append(text, e.progress.text(ctx, &e.filter)...); len(text) == 0 {
		return nil
	}
	e.sent = time.Now()
	_, err := e.w.Write(text)
	return err
}

// pace waits until the stream may be written to again.
func (e *eventStream) pace(ctx context.Context) error {
	timer := time.NewTimer(time.Until(e.sent.Add(progressPace)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns when there may be more to send. It keeps an idle stream alive, and ends that of a master
// without a cluster.
func (e *eventStream) wait(ctx context.Context, changed <-chan struct{}) error {
	timer := time.NewTimer(time.Until(e.progress.until(e.silent)))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case time.Now().Before(e.silent):
		return nil
	case !e.server.local(consistency{stale: true, maxStale: eventContact}):
		return ffrtmp.Errorf(ffrtmp.NoLeader, "this master has lost contact with its cluster")
	}
	return e.keepAlive()
}

// keepAlive sends the reader its position without an event, so that an idle stream, too,
// resumes where it broke.
func (e *eventStream) keepAlive() error {
	e.silent = time.Now().Add(e.server.keepAlive)
	_, err := fmt.Fprintf(e.w, ": keep-alive\nid: %s\n\n", e.after)
	return err
}

// eventFilter selects events; the zero value selects all.
type eventFilter struct {
	types    []ffrtmp.EventType
	job      string // id or sequence number
	progress bool   // progress, too
}

func parseEventFilter(c *call) (f eventFilter, err error) {
	q := c.URL.Query()
	if f.progress, err = queryBool(q, "progress"); err != nil {
		return f, err
	}
	if q.Has("type") {
		for name := range strings.SplitSeq(q.Get("type"), ",") {
			t := ffrtmp.EventType(name)
			if !t.Valid() && (t != ffrtmp.JobProgress || !f.progress) {
				return f, ffrtmp.FieldErrorf("type", "%q is not an event type", name)
			}
			f.types = append(f.types, t)
		}
	}
	f.job = q.Get("job_id")
	return f, nil
}

func (f *eventFilter) selects(e *eventFrame) bool {
	return (f.types == nil || slices.Contains(f.types, e.kind)) &&
		(f.job == "" || e.job == f.job || e.job != "" && strconv.FormatUint(e.sequence, 10) == f.job)
}

// join returns the text of the selected events.
func (f *eventFilter) join(frames []eventFrame) (text []byte) {
	for i := range frames {
		if f.selects(&frames[i]) {
			text = append(text, frames[i].text...)
		}
	}
	return text
}
