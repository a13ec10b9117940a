// Package testkit holds what the tests of several packages share.
package testkit

import (
	"context"
	"io"
	"testing"
	"time"
)

// Patience bounds a single wait. It is long because machines are busy: it catches what never happens, and measures
// nothing.
const Patience = 4 * time.Minute

// Eventually polls until cond holds, and fails the test with what was awaited when Patience ends first.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	Within(t, Patience, what, cond)
}

// Within is Eventually with a limit of its own. It returns how long cond took to hold.
func Within(t testing.TB, limit time.Duration, what string, cond func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Since(start) > limit {
			t.Fatalf("not within %s: %s", limit, what)
		}
		<-tick.C
	}
	return time.Since(start)
}

// Context returns a context that ends with the test or with Patience.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Close closes c at the end of the test and fails the test on an error.
func Close(t testing.TB, c io.Closer) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
