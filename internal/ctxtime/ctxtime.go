// Package ctxtime waits for time to pass or for a context to end, whichever is first; time.Sleep cannot be interrupted.
package ctxtime

import (
	"context"
	"time"
)

// Sleep waits for d. It returns nil once d has passed, at once where d <= 0, and the cause of ctx when that ends first
// or has ended already.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
