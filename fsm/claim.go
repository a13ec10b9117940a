package fsm

import (
	"database/sql/driver"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// claim assigns a node the next jobs that it can run, at most one for each lease.
type claim struct {
	v1
	node   string
	leases []lease
}

func (*claim) kind() Kind { return KindClaim }

func (c *claim) encode(e *encoder) {
	e.string(c.node)
	e.uint(uint64(len(c.leases)))
	for i := range c.leases {
		e.fixed(c.leases[i][:])
	}
}

func decodeClaim(d *decoder) command {
	c := &claim{node: d.name()}
	c.leases = make([]lease, d.count(len(lease{})))
	for i := range c.leases {
		d.fixed(c.leases[i][:])
	}
	return c
}

// claimed is a store.Attempt before it is written out, which only the leader needs.
type claimed struct {
	seq       uint64
	id        uuid.UUID
	attempt   int64
	lease     lease
	timeoutAt int64
}

func (c claimed) row() store.Attempt {
	return store.Attempt{
		AttemptID: store.AttemptID{Seq: c.seq, Attempt: int(c.attempt)}, JobID: c.id.String(),
		Lease: c.lease.String(), TimeoutAt: store.TimeOf(c.timeoutAt),
	}
}

// Claims returns the jobs of claimed attempts for their node: in full, with their
// leases. It sees every applied entry, committed or not.
func (f *FSM) Claims(claimed []store.Attempt) ([]ffrtmp.Job, error) {
	f.applying.Lock()
	defer f.applying.Unlock()
	if f.state == nil {
		return nil, errNoState
	}
	return f.state.Claims(claimed)
}

var updateClaim = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, attempt = ?, node = ?, lease = ?,
	started_at = ?,
	timeout_at = ?, last_activity_at = ?, not_before = 0, progress = 0, progress_detail = NULL WHERE seq = ?`)

// apply assigns nothing to a node that is not eligible or has no free slot. A node
// that claims is online.
func (c *claim) apply(t *tx) any {
	n, err := t.nodes.find(c.node)
	if err != nil {
		return err
	}
	t.setOffline(n, false)
	from := len(t.claimed)
	for _, l := range c.leases {
		if n.Eligibility != ffrtmp.Eligible || n.Free(int(n.held)) == 0 {
			break
		}
		j := t.next(n)
		if j == nil {
			break
		}
		t.claimed = append(t.claimed, t.start(j, n, l))
	}
	return t.claimed[from:len(t.claimed):len(t.claimed)]
}

// start begins the job's next attempt. The previous one, if lost, is now stale.
func (t *tx) start(j *activeJob, n *node, l lease) claimed {
	t.ready.remove(j)
	if j.hold == store.HoldLost {
		j.node.drop(j)
		j.hold = store.HoldNone
	}
	j.attempt++
	j.node, j.lease = n, l
	j.startedAt, j.timeoutAt, j.notBefore = t.now, 0, 0
	if j.timeout > 0 {
		j.timeoutAt = t.now + j.timeout
	}
	if j.attempt == 1 {
		observe(t.metrics.waited, j.createdAt, t.now)
	}
	t.change(j, ffrtmp.Running, store.HoldActive)
	t.columns.setNode(j.seq, n.Key)
	t.columns.setProgress(j.seq, 0)
	now := driver.Value(t.now)
	t.exec(updateClaim, store.StatusRunning, int64(store.HoldActive), j.attempt, n.Key, j.lease[:], now, j.timeoutAt,
		now,
		int64(j.seq))
	t.jobEvent(ffrtmp.JobStarted, j, 0, "")
	return claimed{j.seq, j.id, j.attempt, l, j.timeoutAt}
}
