package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// claimWait is how long a master may hold a claim until there is a job.
const claimWait = 30 * time.Second

// claims asks for work whenever a slot is free, until the context ends.
func (a *Agent) claims(ctx context.Context) {
	quick := 0 // answers in a row that came empty, and before their time
	for {
		free, err := a.slots.wait(ctx)
		if err != nil {
			return
		}
		if !a.canClaim() {
			if ctxtime.Sleep(ctx, a.cfg.PollInterval) != nil {
				return
			}
			continue
		}
		if a.leasesOverdue() {
			if ctxtime.Sleep(ctx, overduePause) != nil {
				return
			}
			continue
		}
		asked := time.Now()
		jobs, err := a.client.Claim(ctx, ffrtmp.ClaimRequest{NodeID: a.state.nodeID, Max: free, Wait: ffrtmp.Duration(claimWait)})
		switch {
		case ctx.Err() != nil && err != nil:
			return
		case err != nil:
			// A heartbeat finds out as well when the node is not known, and registers it.
			a.log.Debug("claim failed", "error", err)
			err = ctxtime.Sleep(ctx, time.Second+rand.N(time.Second))
		case len(jobs) > 0:
			quick = 0
			err = a.accept(ctx, jobs)
		case time.Since(asked) < claimWait/2:
			quick++
			err = ctxtime.Sleep(ctx, a.claimPause(quick))
		default:
			quick = 0
		}
		if err != nil {
			return
		}
	}
}

const overduePause = 100 * time.Millisecond

// leasesOverdue reports whether leases may have run out, as after a restart or a freeze. The
// next heartbeat takes back what is lost; a claim before it could be given a new
// attempt at the very job that the node holds, which would end the old one.
func (a *Agent) leasesOverdue() bool {
	if len(a.slots.all()) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.renewedAt) > a.leaseTTL
}

// canClaim reports whether the node can keep what it would claim.
func (a *Agent) canClaim() bool {
	err := a.state.checkSpace()
	if err != nil {
		err = fmt.Errorf("nothing is claimed: the state directory: %w", err)
		a.log.Error(err.Error())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimErr = err
	return err == nil
}

// claimPause is short after a change of leader, which ends long polls early, and
// the poll interval where something between does not hold a request at all.
func (a *Agent) claimPause(quick int) time.Duration {
	pause := 50 * time.Millisecond << min(quick, 10)
	return min(pause+rand.N(pause), a.cfg.PollInterval)
}

// accept takes attempts over, and waits until a heartbeat has listed them: until
// then every claim would bring them again.
func (a *Agent) accept(ctx context.Context, jobs []ffrtmp.Job) error {
	fresh := false
	for i := range jobs {
		j := &jobs[i]
		if !ffrtmp.IsID(j.ID) || j.Attempt < 1 || j.Lease == "" {
			a.log.Error("a master gave out a job without id, attempt or lease", "job", j.ID)
			continue
		}
		if a.slots.known(idOf(j)) {
			continue
		}
		if err := a.state.attemptDir(idOf(j)).create(j); err != nil {
			// Not listed, it is given out again, here or after its lease elsewhere.
			a.log.Error("an attempt could not be recorded", "job", j.ID, "error", err)
			continue
		}
		at := a.adopt(*j)
		at.log.Info("attempt claimed", "scenario", j.Scenario)
		a.reached(at, stepClaimed)
		a.spawn(at)
		fresh = true
	}
	a.wake()
	for i := range jobs {
		at := a.slots.get(idOf(&jobs[i]))
		if at == nil {
			continue
		}
		select {
		case <-at.listed:
		case <-at.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if !fresh {
		return ctxtime.Sleep(ctx, time.Second)
	}
	return nil
}
