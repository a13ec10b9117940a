package api

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

func framesOf(from, to uint64) (frames []eventFrame) {
	for i := from; i <= to; i++ {
		frames = append(frames, eventFrame{id: ffrtmp.EventID{Index: i}, text: []byte("x")})
	}
	return frames
}

// A tail returns what follows an id, in batches; what it has dropped is behind.
func TestEventTail_After(t *testing.T) {
	t.Parallel()
	tail := &eventTail{changed: make(chan struct{})}
	at := func(id uint64) tailPart {
		t.Helper()
		p, err := tail.after(ffrtmp.EventID{Index: id})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := at(0); !p.behind || p.more {
		t.Errorf("before the start: got %+v, want behind and nothing more yet", p)
	}
	tail.begun, tail.start, tail.upTo = true, ffrtmp.EventID{Index: 100}, ffrtmp.EventID{Index: 5000}
	tail.append(framesOf(101, 4000))
	if p := at(99); !p.behind || !p.more {
		t.Errorf("before the first: got %+v, want behind", p)
	}
	got := uint64(100)
	for {
		p := at(got)
		for _, f := range p.frames {
			if got++; f.id.Index != got {
				t.Fatalf("got event %s, want %d", f.id, got)
			}
		}
		if !p.more {
			if got != 4000 || p.upTo.Index != 5000 {
				t.Errorf("got events up to %d and position %s, want 4000 and 5000", got, p.upTo)
			}
			break
		}
		if p.upTo.Index != got || len(p.frames) != frameBatch {
			t.Errorf("got %d events and position %s, want %d and %d", len(p.frames), p.upTo, frameBatch, got)
		}
	}
	if p := at(7000); p.behind || len(p.frames) > 0 || p.upTo.Index != 7000 {
		t.Errorf("ahead: got %+v, want nothing at 7000", p)
	}
	kept := at(2000).frames
	tail.append(framesOf(4001, 4000+ringFrames))
	if len(tail.frames) > ringFrames || tail.bytes != len(tail.frames) || !at(100).behind {
		t.Errorf("got %d frames of %d bytes, want at most %d and the oldest dropped", len(tail.frames), tail.bytes,
			ringFrames)
	}
	if first := tail.frames[0].id.Index; first != tail.start.Index+1 || kept[0].id.Index != 2001 {
		t.Errorf("got first %d after %s, and %s for a stream, want no gap and 2001", first, tail.start, kept[0].id)
	}
}

// All streams of a master share one reader, which ends with the last of them; each gets every event once, in order,
// whether it was there from the beginning or catches up.
func TestEvents_SharedReader(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	first := m.api.events.join(t.Context(), m.fsm)
	if again := m.api.events.join(t.Context(), m.fsm); again != first {
		t.Error("got another reader for the second stream, want the same")
	}
	const streams, jobs = 8, 40
	var wait sync.WaitGroup
	for n := range streams {
		s := m.stream("?since=0")
		if n%2 == 1 {
			s = m.stream("?since=0&type=job.submitted")
		}
		wait.Go(func() {
			for want := range uint64(jobs) {
				if e := s.next(); e.SequenceNumber != want+1 || e.Type != ffrtmp.JobSubmitted {
					t.Errorf("stream %d: got %+v, want job %d submitted", n, e, want+1)
					return
				}
			}
		})
		for i := range jobs / streams {
			m.want(http.StatusCreated, "POST", "/jobs", fmt.Sprintf(`{"scenario":"720p","labels":{"n":"%d"}}`, i))
		}
	}
	wait.Wait()
	m.api.events.leave()
	m.api.events.leave()
	select {
	case <-first.ended:
		t.Error("got the end of the reader, want it to read for the other streams")
	default:
	}
}

// The reader ends with the last stream, and with the server; a later stream has a new one.
func TestEventRing_Leave(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	var ring eventRing
	first := ring.join(t.Context(), m.fsm)
	ring.leave()
	<-first.ended
	second := ring.join(t.Context(), m.fsm)
	if second == first {
		t.Error("got the reader that has ended, want a new one")
	}
	ring.leave()
	<-second.ended
	if _, err := second.after(ffrtmp.EventID{}); err == nil {
		t.Error("got no error from a reader that has ended, want one")
	}
}
