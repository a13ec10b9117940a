package api

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/ffrtmp/ffrtmp"
)

// statuses maps an error's code to an HTTP status.
var statuses = map[ffrtmp.Code]int{
	ffrtmp.Invalid:             http.StatusBadRequest,
	ffrtmp.Unauthenticated:     http.StatusUnauthorized,
	ffrtmp.Forbidden:           http.StatusForbidden,
	ffrtmp.NotFound:            http.StatusNotFound,
	ffrtmp.Conflict:            http.StatusConflict,
	ffrtmp.StaleAttempt:        http.StatusConflict,
	ffrtmp.TooLarge:            http.StatusRequestEntityTooLarge,
	ffrtmp.RateLimited:         http.StatusTooManyRequests,
	ffrtmp.NoLeader:            http.StatusServiceUnavailable,
	ffrtmp.Loading:             http.StatusServiceUnavailable,
	ffrtmp.UnknownOutcome:      http.StatusGatewayTimeout,
	ffrtmp.Compacted:           http.StatusGone,
	ffrtmp.InsufficientStorage: http.StatusInsufficientStorage,
	ffrtmp.RequestTimeout:      http.StatusRequestTimeout,
	ffrtmp.Internal:            http.StatusInternalServerError,
}

// problem is the body of every error answer.
type problem struct {
	Error  string      `json:"error"`
	Code   ffrtmp.Code `json:"code"`
	Status int         `json:"status"`
	Field  string      `json:"field,omitempty"`
}

// describe returns the part of an error that a client may see: a ffrtmp.Error without its cause,
// or a generic message for any other error.
func describe(err error) problem {
	var e *ffrtmp.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the request timed out or was canceled; its outcome is unknown")
	default:
		e = ffrtmp.Errorf(ffrtmp.Internal, "internal error; see the master's log for this request's X-Request-Id")
	}
	status, ok := statuses[e.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	return problem{Error: shorten(e.Error()), Code: e.Code, Status: status, Field: shorten(e.Field)}
}

// maxMessage bounds an error's message and field, in bytes. Both may quote the input.
const maxMessage = 1 << 10

// shorten cuts a text to maxMessage bytes, between two characters.
func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	const mark = "…"
	end := maxMessage - len(mark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// writeError answers with err.
func writeError(w http.ResponseWriter, err error) {
	p := describe(err)
	switch p.Code {
	case ffrtmp.RateLimited, ffrtmp.Loading:
		w.Header().Set("Retry-After", retryAfter)
	case ffrtmp.Unauthenticated:
		w.Header().Set("WWW-Authenticate", `Bearer realm="ffrtmp"`)
	}
	writeJSON(w, p.Status, p)
}

// retryAfter is the value of Retry-After, in seconds.
const retryAfter = "1"

// inField puts a field in front of an error's own.
func inField(field string, err error) error {
	var e *ffrtmp.Error
	if !errors.As(err, &e) {
		return err
	}
	within := *e
	within.Field = field
	if e.Field != "" {
		within.Field += "." + e.Field
	}
	return &within
}
