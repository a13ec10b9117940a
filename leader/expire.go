package leader

import (
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// expire proposes what has fallen due, each kind in one command.
func (t *term) expire() {
	t.mu.Lock()
	var lost, late []*attempt
	var silent []*node
	now := time.Now()
	for _, x := range t.deadlines.expired(now) {
		switch x := x.(type) {
		case *node:
			silent = append(silent, x)
		case *attempt:
			if x.expires.After(now) {
				late = append(late, x)
			} else {
				lost = append(lost, x)
			}
		}
	}
	t.mu.Unlock()
	t.lose(lost)
	t.timeOut(late)
	t.silence(silent)
}

// lose proposes that attempts whose leases have run out are lost. The state may
// know better: one may have ended, or been sealed, meanwhile.
func (t *term) lose(attempts []*attempt) {
	if len(attempts) == 0 {
		return
	}
	// A claim that a silent node has left open would be given, as a new attempt, the very
	// job that the node may take back.
	silent := make(map[string]bool, len(attempts))
	for _, a := range attempts {
		silent[a.node.id] = true
	}
	t.waiters.dismiss(silent)
	_, changed, err := t.cfg.Proposer.Expire(t.ctx, ids(attempts))
	if err != nil {
		t.retry(attempts, err)
		return
	}
	lost := asSet(changed)
	for _, a := range attempts {
		renewed := t.end(a, "")
		if !lost[a.id()] {
			continue
		}
		t.cfg.Logger.Warn("lease expired, attempt lost", "job", a.jobID, "attempt", a.number, "node", a.node.id)
		if renewed {
			// Its node's heartbeat came while the loss was on its way, and was told that all is well.
			known := []*ffrtmp.AttemptReport{{JobID: a.jobID, Attempt: a.number, Lease: a.lease}}
			if err := t.takeBack(a.node, t.heldBy(a.node, known)); err != nil {
				t.cfg.Logger.Warn("an attempt that was heard of just in time is lost until its node's next heartbeat", "job", a.jobID, "error", err)
			}
		}
	}
	if len(lost) < len(attempts) {
		t.reconcileAll() // some may have been sealed just now, and go on
	}
}

// timeOut proposes the failure of attempts that have outlived their timeout, and
// whose agents have not said so.
func (t *term) timeOut(attempts []*attempt) {
	if len(attempts) == 0 {
		return
	}
	_, changed, err := t.cfg.Proposer.TimeOut(t.ctx, ids(attempts))
	if err != nil {
		t.retry(attempts, err)
		return
	}
	failed := asSet(changed)
	for _, a := range attempts {
		t.end(a, "")
		if !failed[a.id()] {
			continue
		}
		j, err := t.cfg.State.Job(t.ctx, a.jobID)
		if err != nil {
			t.cfg.Logger.Warn("attempt timed out", "job", a.jobID, "attempt", a.number, "node", a.node.id, "error", err)
			continue
		}
		retry := 0
		if j.Status == ffrtmp.Pending {
			retry = j.RetryCount
		}
		t.logFailure(a.jobID, a.node.id, ffrtmp.Timeout, retry, j.MaxRetries)
	}
}

// silence proposes that nodes are offline.
func (t *term) silence(nodes []*node) {
	if len(nodes) == 0 {
		return
	}
	names := make([]string, len(nodes))
	t.mu.Lock()
	for i, n := range nodes {
		names[i], n.offline = n.id, true
	}
	t.mu.Unlock()
	if _, _, err := t.cfg.Proposer.SetOffline(t.ctx, names, true); err != nil {
		t.mu.Lock()
		for _, n := range nodes {
			n.offline, n.seen = false, time.Now().Add(retryInterval-n.silent)
			t.deadlines.watch(n)
		}
		t.mu.Unlock()
		t.cfg.Logger.Warn("silent nodes could not be marked offline yet", "error", err)
		return
	}
	t.cfg.Logger.Warn("nodes are offline", "nodes", names)
	t.nudge() // jobs that avoid other nodes may now fit those that are left
}

// retry makes attempts due again.
func (t *term) retry(attempts []*attempt, err error) {
	t.cfg.Logger.Warn("attempts that are due could not be ended yet", "attempts", len(attempts), "error", err)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range attempts {
		a.postponed = time.Now().Add(retryInterval)
		t.deadlines.watch(a)
	}
}

// end forgets an attempt, unless another of the same job goes on already. It reports
// whether the attempt has a lease again that has not run out.
func (t *term) end(a *attempt, tail string) (renewed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.attempts[a.jobID] == a {
		t.drop(a.jobID, tail)
	}
	return a.expires.After(time.Now())
}

func (a *attempt) id() store.AttemptID { return store.AttemptID{Seq: a.seq, Attempt: a.number} }

func ids(attempts []*attempt) []store.AttemptID {
	list := make([]store.AttemptID, len(attempts))
	for i, a := range attempts {
		list[i] = a.id()
	}
	return list
}

func asSet(c fsm.Changed) map[store.AttemptID]bool {
	set := make(map[store.AttemptID]bool, len(c.Attempts))
	for _, id := range c.Attempts {
		set[id] = true
	}
	return set
}
