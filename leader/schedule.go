package leader

import "time"

const (
	// timeoutGrace is how long the leader waits after an attempt's timeout for the agent's own
	// report, which has the log and the reason.
	timeoutGrace = 5 * time.Second
	// retryInterval is the time before a failed proposal is repeated.
	retryInterval = time.Second
	// overdueInterval is the time between two checks for jobs whose backoff has ended.
	overdueInterval = 50 * time.Millisecond
	// maxSleep bounds the time between two checks for due items.
	maxSleep = time.Minute
)

// run handles what is due until the term ends.
func (t *term) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	save := time.NewTicker(saveInterval)
	defer save.Stop()
	ready := t.cfg.State.ReadyChanged()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-timer.C:
			t.expire()
			t.dispatch()
		case <-t.rescheduled:
		case <-t.workReady:
			t.dispatch()
		case <-ready:
			ready = t.cfg.State.ReadyChanged()
			t.dispatch()
		case <-save.C:
			t.save()
			t.reconcileAll()
		}
		timer.Reset(t.untilNext())
	}
}

// dispatch wakes idle claims for the jobs that are ready. Jobs that none of thousands of
// waiting nodes can run are matched against each of them, so it limits its own rate.
func (t *term) dispatch() {
	now := time.Now()
	if t.dispatchDue = now.Before(t.nextDispatch); t.dispatchDue {
		return
	}
	if jobs := t.cfg.State.ReadyCount(now); jobs > 0 {
		t.waiters.wake(jobs, func(nodeID string) bool { return t.cfg.State.HasReady(nodeID, now) })
		t.nextDispatch = now.Add(10 * time.Since(now))
	}
}

// untilNext is the time until something is due: a lease, a timeout, a silent node, or a
// job whose backoff ends.
func (t *term) untilNext() time.Duration {
	sleep := maxSleep
	if at, ok := t.cfg.State.NextNotBefore(); ok {
		// A job that no node can run stays the next one after its backoff.
		sleep = min(sleep, max(time.Until(at), overdueInterval))
	}
	if t.dispatchDue {
		sleep = min(sleep, time.Until(t.nextDispatch))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.deadlines.next(); ok {
		sleep = min(sleep, time.Until(at))
	}
	return max(sleep, 0)
}

// watch puts an item into the queue and makes run look at it.
func (t *term) watch(x dueItem) {
	t.deadlines.watch(x)
	select {
	case t.rescheduled <- struct{}{}:
	default:
	}
}
