package ffrtmp

import (
	"errors"
	"fmt"
)

// Code classifies an error for programs. The codes are part of the HTTP API.
type Code string

// Error codes. After NoLeader and Loading a request may be repeated; after UnknownOutcome only with the
// same idempotency key.
const (
	Invalid             Code = "invalid"
	Unauthenticated     Code = "unauthenticated"
	Forbidden           Code = "forbidden"
	NotFound            Code = "not_found"
	Conflict            Code = "conflict"
	StaleAttempt        Code = "stale_attempt"
	TooLarge            Code = "too_large"
	RateLimited         Code = "rate_limited"
	NoLeader            Code = "no_leader"
	Loading             Code = "loading" // the master is still starting
	UnknownOutcome      Code = "unknown_outcome"
	Compacted           Code = "compacted" // the requested events are too old and have been deleted
	InsufficientStorage Code = "insufficient_storage"
	RequestTimeout      Code = "timeout" // 408: the request's body did not arrive in time
	Internal            Code = "internal"
)

// Error is an error meant for users: a code for programs, a message and, for invalid input,
// the field at fault. The API sends it, and package client returns it.
type Error struct {
	Code    Code
	Message string
	Field   string // JSON path of the offending field, or ""
	Err     error  // cause, kept for logs; never sent to a client
}

func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Message
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with the given code. As with fmt.Errorf, %w sets its cause.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), Err: errors.Unwrap(wrapped)}
}

// FieldErrorf returns an Invalid error that names the field at fault.
func FieldErrorf(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first Error in err's chain, Internal for any
// other error, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
