package client

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// Try is what came of asking one master.
type Try struct {
	Master string // URL
	Count  int    // how often it was asked
	Err    error  // why its last try failed
}

// UnavailableError says that no master answered a call, and that the call has
// changed nothing. ffrtmp.CodeOf gives ffrtmp.NoLeader; errors.Is finds the context's
// error when that is what ended the call.
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

// UnknownOutcomeError says that a call may or may not have been carried out.
// Repeating it with Key settles that. ffrtmp.CodeOf gives ffrtmp.UnknownOutcome.
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

// describe says what came of the tries; masters that failed in one way stand together.
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

// brief is an error without the address that was dialed, which its master has already.
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
	unknown bool // one of them may have been carried out
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

// hopeless reports whether every one of n masters failed in a way that trying
// again cannot mend.
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
)
