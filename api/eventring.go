package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

const (
	// ringFrames and ringBytes bound the events that are kept for streams. A stream that is further behind reads the
	// state itself; catchingUp of them may do that at the same time.
	ringFrames = 16384
	ringBytes  = 8 << 20
	catchingUp = 4
	// frameBatch bounds the events of one write to a stream.
	frameBatch = 1024
	// eventPace is the least time between two reads of the state, streamPace what each stream adds to it, so that
	// thousands of them leave time for other work. An event after a pause is sent at once.
	eventPace  = 50 * time.Millisecond
	streamPace = 10 * time.Microsecond
)

// eventFrame is an event, encoded once for all streams, and what their filters look at.
type eventFrame struct {
	id       ffrtmp.EventID
	kind     ffrtmp.EventType
	job      string
	sequence uint64
	text     []byte
}

func encodeFrames(list []ffrtmp.Event) ([]eventFrame, error) {
	frames := make([]eventFrame, len(list))
	for i := range list {
		e := &list[i]
		data, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		frames[i] = eventFrame{
			id: e.ID(), kind: e.Type, job: e.JobID, sequence: e.SequenceNumber,
			text: fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", e.ID(), e.Type, data),
		}
	}
	return frames, nil
}

// eventRing has the newest events for the streams of this master, as long as there are any.
type eventRing struct {
	mu      sync.Mutex
	streams int
	tail    *eventTail // nil without streams
	stop    context.CancelFunc
}

// join adds a stream. The first starts the reader of the tail, which ends with ctx or after the last has left.
func (r *eventRing) join(ctx context.Context, state *fsm.FSM) *eventTail {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams++; r.streams == 1 {
		ctx, r.stop = context.WithCancel(ctx)
		r.tail = &eventTail{state: state, pace: r.pace, changed: make(chan struct{}), ended: make(chan struct{})}
		go r.tail.run(ctx)
	}
	return r.tail
}

// leave removes a stream. The last waits for the end of the reader.
func (r *eventRing) leave() {
	r.mu.Lock()
	tail, last := r.tail, r.streams == 1
	if r.streams--; last {
		r.stop()
		r.tail = nil
	}
	r.mu.Unlock()
	if last {
		<-tail.ended
	}
}

// pace is the least time between two reads.
func (r *eventRing) pace() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return eventPace + time.Duration(r.streams)*streamPace
}

// eventTail is the end of the list of events, read and encoded once for all streams.
type eventTail struct {
	state *fsm.FSM
	pace  func() time.Duration
	ended chan struct{} // closed when the reader has

	mu      sync.Mutex
	begun   bool
	frames  []eventFrame // all events after start, up to upTo; what streams have of it is never overwritten
	bytes   int
	start   ffrtmp.EventID
	upTo    ffrtmp.EventID
	err     error         // why the reader has ended
	changed chan struct{} // closed and replaced when there are new frames, and when the reader begins or ends
}

// run reads until ctx is done or the state fails.
func (t *eventTail) run(ctx context.Context) {
	defer close(t.ended)
	err := t.begin(ctx)
	for err == nil {
		looked := time.Now()
		if err = t.read(ctx); err != nil {
			break
		}
		if err = t.state.WaitIndex(ctx, t.upTo.Index+1); err != nil {
			break
		}
		select {
		case <-time.After(t.pace() - time.Since(looked)):
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
	t.wake()
}

// begin starts with the events after those that are there.
func (t *eventTail) begin(ctx context.Context) error {
	last, err := t.state.LastEvent(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun, t.frames, t.bytes, t.start, t.upTo = true, nil, 0, last, last
	t.wake()
	return nil
}

// wake makes all streams look again. The caller holds mu.
func (t *eventTail) wake() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// read appends the next events. When the state has jumped over some, because a snapshot was installed, it begins anew.
func (t *eventTail) read(ctx context.Context) error {
	list, upTo, err := t.state.Events(ctx, t.upTo)
	if ffrtmp.CodeOf(err) == ffrtmp.Compacted {
		return t.begin(ctx)
	}
	if err != nil {
		return err
	}
	frames, err := encodeFrames(list)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upTo = upTo
	if len(frames) > 0 {
		t.append(frames)
		t.wake()
	}
	return nil
}

// append adds frames, and drops the older half when there are too many.
func (t *eventTail) append(frames []eventFrame) {
	for i := range frames {
		t.bytes += len(frames[i].text)
	}
	t.frames = append(t.frames, frames...)
	for len(t.frames) > ringFrames || t.bytes > ringBytes {
		n := (len(t.frames) + 1) / 2
		for i := range t.frames[:n] {
			t.bytes -= len(t.frames[i].text)
		}
		t.start = t.frames[n-1].id
		t.frames = slices.Clone(t.frames[n:])
	}
}

// tailPart is what a stream gets from the tail.
type tailPart struct {
	frames  []eventFrame
	upTo    ffrtmp.EventID  // the stream's new position
	behind  bool            // the events after its position are not here any more, or not yet
	more    bool            // there are more frames
	changed <-chan struct{} // closed when there is more
}

// after returns the events after an id.
func (t *eventTail) after(id ffrtmp.EventID) (p tailPart, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p = tailPart{upTo: id, changed: t.changed, more: t.begun}
	if t.err != nil || !t.begun || id.Before(t.start) {
		p.behind = true
		return p, t.err
	}
	first, _ := slices.BinarySearchFunc(t.frames, id, func(f eventFrame, id ffrtmp.EventID) int {
		if id.Before(f.id) {
			return 1
		}
		return -1
	})
	p.frames = t.frames[first:]
	if p.more = len(p.frames) > frameBatch; p.more {
		p.frames = p.frames[:frameBatch]
		p.upTo = p.frames[frameBatch-1].id
	} else if id.Before(t.upTo) {
		p.upTo = t.upTo
	}
	return p, nil
}
