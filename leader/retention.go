package leader

import (
	"time"

	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

const (
	// eventRetention is how long events are kept for readers to resume.
	eventRetention = 24 * time.Hour
	// maxRetentionInterval bounds the time between two scans.
	maxRetentionInterval = time.Minute
	// maxPrune bounds the jobs that one command removes, and so the time for which it
	// delays others.
	maxPrune = 200
	// keysPerScan bounds the idempotency keys that one scan reads. An old one may still have
	// jobs, so each scan continues where the last one stopped.
	keysPerScan = 10_000
	// pruneIdleRatio is the pause after a removal, in multiples of the time it took.
	pruneIdleRatio = 4
)

// retain removes what is older than the retention, until the term ends.
func (t *term) retain() {
	interval := maxRetentionInterval
	if t.cfg.Retention > 0 {
		interval = max(time.Second, min(interval, t.cfg.Retention/10))
	}
	var after int64
	for ctxtime.Sleep(t.ctx, interval) == nil {
		var err error
		if after, err = t.removeOld(after); err != nil && t.ctx.Err() == nil {
			t.cfg.Logger.Warn("cannot remove what is older than the retention; retrying", "error", err)
		}
	}
}

// removeOld removes old jobs and events, in portions, and the old ones among the next
// idempotency keys.
func (t *term) removeOld(after int64) (next int64, err error) {
	now := time.Now()
	r := fsm.PruneRequest{Before: time.Unix(0, 0), Events: now.Add(-eventRetention)}
	if t.cfg.Retention > 0 {
		r.Before = now.Add(-t.cfg.Retention)
	}
	if r.Keys, next, err = t.cfg.State.OldKeys(t.ctx, r.Before, after, keysPerScan); err != nil {
		return after, err
	}
	var total fsm.Pruned
	defer func() {
		if total != (fsm.Pruned{}) {
			t.cfg.Logger.Info("removed what is older than the retention", "jobs", total.Jobs, "idempotency_keys",
				total.Keys, "nodes", total.Nodes)
		}
	}()
	last := uint64(0)
	for {
		if r.Seqs, err = t.cfg.State.OldJobs(t.ctx, r.Before, last, maxPrune); err != nil {
			return next, err
		}
		events, err := t.cfg.State.HasOldEvents(t.ctx, r.Events)
		if err != nil || len(r.Seqs) == 0 && len(r.Keys) == 0 && !events {
			return next, err
		}
		start := time.Now()
		_, p, err := t.cfg.Proposer.Prune(t.ctx, r)
		if err != nil {
			return next, err
		}
		total.Jobs += p.Jobs
		total.Keys += p.Keys
		total.Nodes += p.Nodes
		r.Keys = nil
		if len(r.Seqs) > 0 {
			last = r.Seqs[len(r.Seqs)-1]
		}
		if ctxtime.Sleep(t.ctx, pruneIdleRatio*time.Since(start)) != nil {
			return next, nil
		}
	}
}
