package api

import (
	"cmp"
	"net/http"
	"time"
)

// streamType marks an answer that comes as it arises; a follower passes it on so.
const streamType = "text/plain; charset=utf-8"

// flushWriter sends what is written at once, when it is to, and gives every write
// its own deadline: a stream may last for hours, a slow reader may not.
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
		// HTTP/2 would end the stream at the deadline although nothing is written.
		err = f.control.SetWriteDeadline(time.Time{})
	}
	return n, err
}

// stream sends a streamed answer. One that ends before its time is cut off, so
// that the client can tell.
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
