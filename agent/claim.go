package agent

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// claimWait is how long a master may hold a claim while there is no job.
const claimWait = 30 * time.Second

// claims requests jobs whenever a slot is free, until the context ends.
func (a *Agent) claims(ctx context.Context) {
	quick := 0 // consecutive empty answers that came early
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
		jobs, err := a.client.Claim(ctx, ffrtmp.ClaimRequest{
			NodeID: a.state.nodeID, Max: free,
			Wait: ffrtmp.Duration(claimWait),
		})
		switch {
		case ctx.Err() != nil && err != nil:
			return
		case err != nil:
			// The heartbeat loop registers a node that the masters do not know.
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

// leasesOverdue reports whether leases may have expired, for example after a restart.
// The next heartbeat reclaims expired attempts. A claim before it could get a new
// attempt at a job that the node still runs, which would end the running one.
func (a *Agent) leasesOverdue() bool {
	if len(a.slots.all()) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.renewedAt) > a.leaseTTL
}

// canClaim reports whether the state directory has space for another attempt.
func (a *Agent) canClaim() bool {
	err := a.state.checkSpace()
	if err != nil {
		err = fmt.Errorf("state directory: %w", err)
		a.log.Error("cannot claim jobs", "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimErr = err
	return err == nil
}

// claimPause is short after a change of leader, which ends long polls early. It grows
// to the poll interval where a proxy does not hold requests at all.
func (a *Agent) claimPause(quick int) time.Duration {
	pause := 50 * time.Millisecond << min(quick, 10)
	return min(pause+rand.N(pause), a.cfg.PollInterval)
}

// accept records and starts claimed attempts, and waits until a heartbeat has listed
// them: until then every claim returns them again.
func (a *Agent) accept(ctx context.Context, jobs []ffrtmp.Job) error {
	fresh := false
	for i := range jobs {
		j := &jobs[i]
		if !ffrtmp.IsID(j.ID) || j.Attempt < 1 || j.Lease == "" {
			a.log.Error("claimed job lacks id, attempt or lease", "job", j.ID)
			continue
		}
		if a.slots.known(idOf(j)) {
			continue
		}
		if err := a.state.attemptDir(idOf(j)).create(j); err != nil {
			// An unlisted attempt is handed out again, here or after its lease elsewhere.
			a.log.Error("cannot record an attempt", "job", j.ID, "error", err)
			continue
		}
		at := a.adopt(*j)
		at.log.Info("attempt claimed", "scenario", j.Scenario)
		a.reached(at, stepClaimed)
		a.spawn(at) //nolint:contextcheck // attempts outlive ctx; they end with a.work
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
