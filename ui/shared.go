package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// Live parts of pages are made for all visitors who see the same at once, and again after a pause that grows with what
// they cost: however many browsers are open, one part takes at most a twentieth of a core.
const (
	shareInterval = 500 * time.Millisecond
	sharePause    = 20 // times as long as it took
	shareLongest  = 5 * time.Second
	shareTimeout  = 30 * time.Second
	maxShared     = 1000 // parts that are remembered
)

// sharing makes each part once for all requests that come before its making begins. It is safe for concurrent use.
type sharing struct {
	mu    sync.Mutex
	parts map[string]*sharedPart
}

// sharedPart is a part that is asked for again and again.
type sharedPart struct {
	due     time.Time // not made again before
	waiting *making   // not begun, or nil
}

// making is one time that a part is made. Its result is there when done is closed.
type making struct {
	done   chan struct{}
	result *answer
	err    error
}

// get returns a part that was begun after the call. The first visitor who asks makes it, and others wait for it.
func (s *sharing) get(ctx context.Context, key string, do func(context.Context) (*answer, error)) (*answer, error) {
	p, m, first := s.join(key)
	if !first {
		select {
		case <-m.done:
			return m.result, m.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	// Others wait, too: this visitor's end does not end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
	defer cancel()
	defer close(m.done)
	if err := s.begin(ctx, p); err != nil {
		m.err = err
		return nil, err
	}
	start := time.Now()
	m.result, m.err = do(ctx)
	s.pause(p, start, time.Since(start))
	return m.result, m.err
}

// join returns the making of a part that has not begun, and whether the caller has to do it.
func (s *sharing) join(key string) (p *sharedPart, m *making, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts == nil || len(s.parts) >= maxShared && s.parts[key] == nil {
		s.parts = map[string]*sharedPart{}
	}
	p = s.parts[key]
	if p == nil {
		p = &sharedPart{}
		s.parts[key] = p
	}
	if first = p.waiting == nil; first {
		p.waiting = &making{done: make(chan struct{}), err: errNotMade}
	}
	return p, p.waiting, first
}

// begin waits until a part is due. Who asks from then on waits for the next time.
func (s *sharing) begin(ctx context.Context, p *sharedPart) error {
	s.mu.Lock()
	timer := time.NewTimer(time.Until(p.due))
	s.mu.Unlock()
	defer timer.Stop()
	var err error
	select {
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.waiting = nil
	p.due = time.Now().Add(shareInterval)
	return err
}

func (s *sharing) pause(p *sharedPart, start time.Time, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.due = start.Add(min(max(shareInterval, sharePause*took), shareLongest))
}

// errNotMade is the result of a part whose maker has panicked.
var errNotMade = ffrtmp.Errorf(ffrtmp.Internal, "internal error")

// share answers with a part that is made for all who see the same.
func (v *visit) share(serve func(*visit) error) error {
	key := fmt.Sprint(v.stale, v.who.May(ffrtmp.ScopeSubmit), v.who.May(ffrtmp.ScopeAdmin), " ", v.URL.RequestURI())
	a, err := v.console.shared.get(v.Context(), key, func(ctx context.Context) (*answer, error) {
		part := &answer{header: http.Header{}}
		part.header.Set(ffrtmp.RequestIDHeader, v.w.Header().Get(ffrtmp.RequestIDHeader))
		w := *v
		w.w, w.Request, w.forAll = part, v.WithContext(ctx), true
		err := serve(&w)
		return part, err
	})
	switch ffrtmp.CodeOf(err) {
	case ffrtmp.Unauthenticated, ffrtmp.Forbidden, ffrtmp.RateLimited: // of the visitor who made it
		return serve(v)
	}
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", a.header.Get("Content-Type"))
	v.w.WriteHeader(a.status)
	own := bytes.ReplaceAll(a.body.Bytes(), []byte(v.console.anyForm), []byte(formToken(v.token)))
	_, _ = v.w.Write(own) // an error means that the browser is gone
	return nil
}
