package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

type contextKey int

const (
	requestIDKey contextKey = iota
	forwardedKey
)

func requestIDOf(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey).(string)
	return id
}

func isForwarded(ctx context.Context) bool {
	forwarded, _ := ctx.Value(forwardedKey).(bool)
	return forwarded
}

// Handler answers users and agents.
func (s *Server) Handler() http.Handler {
	return s.cfg.Tracer.Handler(http.HandlerFunc(s.observe), isSubmission)
}

// ForwardHandler answers requests that another master has forwarded. They are authenticated
// again and never forwarded a second time.
func (s *Server) ForwardHandler() http.Handler {
	return s.cfg.Tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.observe(w, r.WithContext(context.WithValue(r.Context(), forwardedKey, true)))
	}), isSubmission)
}

// observe wraps every request: request id, headers, log, metrics, and an answer after a
// panic.
func (s *Server) observe(w http.ResponseWriter, r *http.Request) {
	s.inFlight.begin()
	defer s.inFlight.end()
	start, id := time.Now(), requestID(r)
	ctx := context.WithValue(r.Context(), requestIDKey, id)
	r = r.WithContext(ctx)
	rec := &recorder{ResponseWriter: w}
	rec.Header().Set(ffrtmp.RequestIDHeader, id)
	s.setHeaders(rec.Header())
	defer s.finish(rec, r, start)
	if headerBytes(r) > maxHeader && !isForwarded(ctx) { // a forwarding master adds to it
		const status = http.StatusRequestHeaderFieldsTooLarge
		message := fmt.Sprintf("the header is longer than %d bytes", maxHeader)
		writeJSON(rec, status, problem{Error: message, Code: ffrtmp.TooLarge, Status: status})
		return
	}
	s.route(rec, r)
}

// finish answers after a panic, and records the request. It must be deferred.
func (s *Server) finish(rec *recorder, r *http.Request, start time.Time) {
	id := requestIDOf(r.Context())
	if p := recover(); p != nil {
		if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(p)
		}
		s.cfg.Logger.Error("panic", "request_id", id, "panic", p, "stack", string(debug.Stack()))
		if rec.status != 0 {
			panic(http.ErrAbortHandler)
		}
		writeError(rec, ffrtmp.Errorf(ffrtmp.Internal, "internal error"))
	}
	s.metrics.request(r, rec.status, time.Since(start))
	tracing.Routed(r.Context(), r.Pattern, id)
	s.cfg.Logger.Debug("request", "request_id", id, "method", r.Method, "route", r.Pattern, "status", rec.status,
		"duration", time.Since(start), "forwarded_by", r.Header.Get(forwardedHeader))
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
