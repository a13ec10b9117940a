// Package failure attaches a ffrtmp.FailureReason to an error, and finds one in the
// log of a failed ffmpeg.
package failure

import (
	"errors"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
)

// Error is an error with the reason for the job's result.
type Error struct {
	Reason ffrtmp.FailureReason
	Err    error
	Unseen bool // this node cannot see the input; another may
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with a reason. It wraps the operand of %w.
func Errorf(reason ffrtmp.FailureReason, format string, args ...any) *Error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Unseen reports whether err means that this node cannot see the input.
func Unseen(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unseen
}

// Reason returns the reason of the first Error in err's chain. Any other error is a
// platform error: the machine's fault, not the job's.
func Reason(err error) ffrtmp.FailureReason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ffrtmp.PlatformError
}
