package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/semaphore"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// outbox delivers results to the masters, one at a time, and retries until they are
// accepted or refused. The results themselves are files of the attempts.
type outbox struct {
	client *client.Client
	log    hclog.Logger
	open   chan struct{} // closed once the masters are known to belong to the agent's cluster
	turn   *semaphore.Weighted
	unsent atomic.Int64
}

func newOutbox(c *client.Client, log hclog.Logger) *outbox {
	return &outbox{client: c, log: log, open: make(chan struct{}), turn: semaphore.NewWeighted(1)}
}

// refusedError says that the masters will never accept a result.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return "result refused: " + e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// deliver returns nil when a master has accepted the result, a *refusedError when
// none ever will, or the context's error.
func (o *outbox) deliver(ctx context.Context, r ffrtmp.Result) error {
	o.unsent.Add(1)
	defer o.unsent.Add(-1)
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := o.inTurn(ctx, r)
		switch ffrtmp.CodeOf(err) {
		case "":
			return nil
		case ffrtmp.StaleAttempt, ffrtmp.Conflict, ffrtmp.NotFound, ffrtmp.Invalid, ffrtmp.TooLarge:
			return &refusedError{err}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		o.log.Error("result not accepted; retrying", "job", r.JobID, "attempt", r.Attempt, "status", r.Status,
			"error", err)
		if err := ctxtime.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// inTurn keeps its turn while no master answers. When a master itself fails, the next
// result gets the turn: it may succeed.
func (o *outbox) inTurn(ctx context.Context, r ffrtmp.Result) error {
	if err := o.turn.Acquire(ctx, 1); err != nil {
		return err
	}
	defer o.turn.Release(1)
	select {
	case <-o.open:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := o.client.Result(ctx, r, client.Persist())
	return err
}
