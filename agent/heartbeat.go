package agent

import (
	"context"
	"errors"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// heartbeats renews the node's leases and receives commands, until the context ends.
// One heartbeat is always in flight; the master holds it until a command is due, so
// commands arrive at once.
func (a *Agent) heartbeats(ctx context.Context) {
	var cadence cadence
	for ctx.Err() == nil {
		wait := a.interval()
		began := time.Now()
		answer, err := a.interruptible(ctx, wait)
		took := time.Since(began)
		switch {
		case errors.Is(err, errWoken):
			continue
		case ffrtmp.CodeOf(err) == ffrtmp.NotFound:
			a.log.Warn("node unknown to the masters; registering again")
			err = a.join(ctx)
		case err == nil:
			err = a.handle(ctx, answer)
		}
		if ctx.Err() != nil {
			return
		}
		if ffrtmp.CodeOf(err) == ffrtmp.Invalid {
			a.fail(err)
			return
		}
		if errors.Is(err, errOtherCluster) {
			// It may be a new one, into which a backup of this agent's cluster is about to be restored.
			a.log.Error("no master of this agent's cluster answers; attempts continue", "error", err)
		}
		a.setContact(err)
		pause := cadence.next(err != nil, took >= wait/2 || len(answer.Commands) > 0)
		if pause > 0 && a.sleepUntilWoken(ctx, min(pause, wait)) != nil {
			return
		}
	}
}

// cadence inserts pauses when a master answers heartbeats early or refuses them.
type cadence struct{ early int }

func (c *cadence) next(failed, held bool) time.Duration {
	if held && !failed {
		c.early = 0
		return 0
	}
	c.early++
	if c.early == 1 && !failed {
		return 0 // most likely a change of leader
	}
	return 50 * time.Millisecond << min(c.early, 8)
}

// errWoken cancels a heartbeat whose list of attempts is outdated.
var errWoken = errors.New("the attempts have changed")

func (a *Agent) interruptible(ctx context.Context, wait time.Duration) (ffrtmp.HeartbeatResponse, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-a.woken:
			cancel(errWoken)
		case <-ended:
		}
	}()
	answer, err := a.beat(ctx, wait)
	close(ended)
	<-watched
	return answer, err
}

// beat sends one heartbeat and records what the master now knows.
func (a *Agent) beat(ctx context.Context, wait time.Duration) (ffrtmp.HeartbeatResponse, error) {
	held := a.slots.all()
	h := ffrtmp.Heartbeat{Wait: ffrtmp.Duration(wait)}
	logs := make([]int64, len(held))
	for i, at := range held {
		report, next := at.report()
		h.Attempts = append(h.Attempts, report)
		logs[i] = next
	}
	var meta client.Meta
	began := time.Now()
	answer, err := a.client.Heartbeat(ctx, a.state.nodeID, h, client.WithMeta(&meta))
	if err != nil {
		return answer, err
	}
	a.metrics.heartbeat(time.Since(began))
	a.mu.Lock()
	a.renewedAt = began
	a.mu.Unlock()
	rewind := a.leader.changed(meta)
	if rewind {
		a.metrics.failovers.Inc()
	}
	for i, at := range held {
		at.reported(logs[i], rewind)
	}
	return answer, nil
}

// handle applies an answer. Commands run in the background.
func (a *Agent) handle(ctx context.Context, answer ffrtmp.HeartbeatResponse) error {
	err := a.updateMasters(answer.ClusterID, answer.FormerClusters, answer.Masters, answer.LeaseTTLSeconds)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.reportEvery = time.Duration(answer.ReportSeconds * float64(time.Second))
	a.mu.Unlock()
	for _, c := range answer.Commands {
		if at := a.slots.get(attemptID{c.JobID, c.Attempt}); at != nil {
			a.execute(ctx, at, c.Command)
		}
	}
	return nil
}

// interval is how long a master may hold a heartbeat: always shorter than a lease,
// and no longer than the report interval while attempts run.
func (a *Agent) interval() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	wait := min(a.cfg.HeartbeatInterval, a.leaseTTL/3)
	if len(a.slots.all()) > 0 {
		wait = min(wait, max(a.reportEvery, minReportEvery))
	}
	return wait
}

const minReportEvery = 500 * time.Millisecond

// sleepUntilWoken waits for d, or until the list of attempts changes.
func (a *Agent) sleepUntilWoken(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.woken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake sends the next heartbeat now.
func (a *Agent) wake() {
	select {
	case a.woken <- struct{}{}:
	default:
	}
}
