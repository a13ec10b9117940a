// Package failure says why an attempt failed: it carries a ffrtmp.FailureReason
// along an error, and reads one out of what ffmpeg said when it ended.
package failure

import (
	"errors"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
)

// Error is an error with the reason that a master is to be told.
type Error struct {
	Reason ffrtmp.FailureReason
	Err    error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with the given reason. It wraps what %w names.
func Errorf(reason ffrtmp.FailureReason, format string, args ...any) *Error {
	return &Error{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// Reason returns the reason of the first Error in err's chain. Any other error is
// this machine's fault, not the job's: a platform error.
func Reason(err error) ffrtmp.FailureReason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ffrtmp.PlatformError
}
