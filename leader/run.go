package leader

import "time"

const (
	// timeoutGrace is how much longer than its timeout the leader waits for an
	// attempt: its agent knows more of it, and should say so itself.
	timeoutGrace = 5 * time.Second
	// retryInterval is when something that was due and could not be proposed is
	// due again.
	retryInterval = time.Second
	// overdueInterval bounds how often jobs are looked at whose backoff is over.
	overdueInterval = 50 * time.Millisecond
	// maxSleep bounds how long run sleeps, whatever it believes to be due next.
	maxSleep = time.Minute
)

// run does what falls due until the term ends.
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
		case <-t.earlier:
		case <-t.work:
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

// dispatch wakes claims for the work that there is. Work that none of thousands of
// waiting nodes can do is looked at for each of them, so it paces itself.
func (t *term) dispatch() {
	now := time.Now()
	if t.undone = now.Before(t.paced); t.undone {
		return
	}
	if jobs := t.cfg.State.ReadyCount(now); jobs > 0 {
		t.waiters.rouse(jobs, func(nodeID string) bool { return t.cfg.State.HasReady(nodeID, now) })
		t.paced = now.Add(10 * time.Since(now))
	}
}

// untilNext is how long nothing falls due: no lease, timeout or silent node, and
// no job whose backoff is over.
func (t *term) untilNext() time.Duration {
	sleep := maxSleep
	if at, ok := t.cfg.State.NextNotBefore(); ok {
		// One that is over and that nobody can run stays the next.
		sleep = min(sleep, max(time.Until(at), overdueInterval))
	}
	if t.undone {
		sleep = min(sleep, time.Until(t.paced))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.deadlines.next(); ok {
		sleep = min(sleep, time.Until(at))
	}
	return max(sleep, 0)
}
