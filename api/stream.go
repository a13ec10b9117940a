package api

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"
)

// streamType marks a streamed answer, which a follower forwards without delay.
const streamType = "text/plain; charset=utf-8"

// flushWriter flushes each write, if flush is set, and gives it a deadline of its own: a
// stream may last for hours, but a reader must keep up.
type flushWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	flush   bool
}

func newFlushWriter(w http.ResponseWriter, flush bool) *flushWriter {
	return &flushWriter{w, http.NewResponseController(w), flush}
}

func (f *flushWriter) Write(p []byte) (int, error) {
	if !f.flush {
		return f.ResponseWriter.Write(p)
	}
	if err := f.control.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, err
	}
	n, err := f.ResponseWriter.Write(p)
	if err == nil {
		err = f.control.Flush()
	}
	if err == nil {
		// HTTP/2 would end an idle stream at the deadline.
		err = f.control.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// stream sends a streamed answer. After an error it breaks the connection, so that the
// client knows that the answer is incomplete.
func (s *Server) stream(w http.ResponseWriter, c *call, a *answer) {
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", cmp.Or(a.streamType, streamType))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if c.Method == http.MethodHead {
		return
	}
	out := newFlushWriter(w, true)
	if _, err := out.Write(nil); err != nil {
		panic(http.ErrAbortHandler)
	}
	if err := a.stream(ctx, out); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// ctxReader reads until its context is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
