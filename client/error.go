package client

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// Try is the failure of one master to answer a call.
type Try struct {
	Master string // URL
	Count  int    // number of tries
	Err    error  // of the last try
}

// UnavailableError means that no master answered a call, and that the call has changed nothing. ffrtmp.CodeOf returns
// ffrtmp.NoLeader, or ffrtmp.RateLimited; errors.Is finds the context's error if that ended the call.
type UnavailableError struct {
	Op    string // method and path
	Tries []Try
	Cause error // why no further try was made; may be nil
}

func (e *UnavailableError) Error() string {
	return "no master answered " + e.Op + describe(e.Tries, e.Cause)
}

// Unwrap returns the code and the cause.
func (e *UnavailableError) Unwrap() []error {
	code := ffrtmp.NoLeader
	for _, t := range e.Tries {
		if ffrtmp.CodeOf(t.Err) == ffrtmp.RateLimited {
			code = ffrtmp.RateLimited
		}
	}
	return []error{&ffrtmp.Error{Code: code, Message: "no master answered"}, e.Cause}
}

// UnknownOutcomeError means that a write may or may not have been executed. Repeat it with IdempotencyKey(Key) to
// settle it. ffrtmp.CodeOf returns ffrtmp.UnknownOutcome; errors.Is finds the context's error if that ended the call.
type UnknownOutcomeError struct {
	Op    string // method and path
	Key   string // idempotency key; "" when the call has none and needs none
	Tries []Try
	Cause error // why no further try was made; may be nil
}

func (e *UnknownOutcomeError) Error() string {
	return "the outcome of " + e.Op + " is unknown" + describe(e.Tries, e.Cause)
}

// Unwrap returns the code and the cause.
func (e *UnknownOutcomeError) Unwrap() []error {
	return []error{&ffrtmp.Error{Code: ffrtmp.UnknownOutcome, Message: "the outcome is unknown"}, e.Cause}
}

// describe lists the failures of the tries, grouped by cause.
func describe(tries []Try, cause error) string {
	var reasons []string
	masters, counts := map[string][]string{}, map[string]int{}
	for _, t := range tries {
		reason := brief(t.Err)
		if masters[reason] == nil {
			reasons = append(reasons, reason)
		}
		masters[reason] = append(masters[reason], t.Master)
		counts[reason] += t.Count
	}
	var b strings.Builder
	for i, reason := range reasons {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		fmt.Fprintf(&b, "%s: %s", strings.Join(masters[reason], ", "), reason)
		if n := counts[reason]; n > len(masters[reason]) {
			fmt.Fprintf(&b, " (%d tries)", n)
		}
	}
	if cause != nil {
		fmt.Fprintf(&b, "; %v", cause)
	}
	return b.String()
}

// brief is an error without the dialed address, which is that of its master.
func brief(err error) string {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return dial.Err.Error()
	}
	return fmt.Sprint(err)
}

// attempts collects the tries of one call.
type attempts struct {
	tries   []Try
	unknown bool // one of them may have been executed
}

func (a *attempts) add(master string, err error) {
	for i := range a.tries {
		if a.tries[i].Master == master {
			a.tries[i].Count++
			a.tries[i].Err = err
			return
		}
	}
	a.tries = append(a.tries, Try{Master: master, Count: 1, Err: err})
}

// includes reports whether a master was tried.
func (a *attempts) includes(master string) bool {
	return slices.ContainsFunc(a.tries, func(t Try) bool { return t.Master == master })
}

// hopeless reports whether all of n masters failed permanently.
func (a *attempts) hopeless(n int) bool {
	for _, t := range a.tries {
		if !permanent(t.Err) {
			return false
		}
	}
	return len(a.tries) >= n
}

func (a *attempts) end(c *call, cause error) error {
	if a.unknown && !c.reads() {
		return &UnknownOutcomeError{Op: c.name(), Key: c.key, Tries: a.tries, Cause: cause}
	}
	return &UnavailableError{Op: c.name(), Tries: a.tries, Cause: cause}
}

var (
	// ErrForeign marks an error answer that did not come from a master: the address belongs to another server.
	ErrForeign = errors.New("not a master's answer")

	// ErrSchemeMismatch marks the use of https with a master that speaks plain HTTP, or the reverse.
	ErrSchemeMismatch = errors.New("the scheme of the master's URL is wrong")

	// ErrHTTPSWanted is the ErrSchemeMismatch of http with a master that speaks HTTPS.
	ErrHTTPSWanted = fmt.Errorf("%w: it speaks HTTPS", ErrSchemeMismatch)
)
