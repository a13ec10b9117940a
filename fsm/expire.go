package fsm

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

func encodeID(e *encoder, id store.AttemptID) {
	e.uint(id.Seq)
	e.int(int64(id.Attempt))
}

func decodeID(d *decoder) store.AttemptID {
	return store.AttemptID{Seq: d.uint(), Attempt: int(d.int())}
}

func encodeIDs(e *encoder, ids []store.AttemptID) {
	e.uint(uint64(len(ids)))
	for _, r := range ids {
		encodeID(e, r)
	}
}

func decodeIDs(d *decoder) []store.AttemptID {
	ids := make([]store.AttemptID, d.count(2))
	for i := range ids {
		ids[i] = decodeID(d)
	}
	return ids
}

// Changed is the result of a command about several attempts: those that it
// changed. The others had changed since the proposer looked.
type Changed struct{ Attempts []store.AttemptID }

// expire ends attempts whose leases have expired.
type expire struct {
	v1
	ids []store.AttemptID
}

func (*expire) kind() Kind            { return KindExpire }
func (c *expire) encode(e *encoder)   { encodeIDs(e, c.ids) }
func decodeExpire(d *decoder) command { return &expire{ids: decodeIDs(d)} }

func (c *expire) apply(t *tx) any {
	return t.eachActive(c.ids, func(j *activeJob) bool {
		t.expire(j, true)
		return true
	})
}

// eachActive calls do for those of the attempts that are running and not sealed; do
// reports whether it changed anything.
func (t *tx) eachActive(ids []store.AttemptID, do func(*activeJob) bool) Changed {
	var changed Changed
	for _, r := range ids {
		if j, ok := t.jobs[r.Seq]; ok && j.attempt == int64(r.Attempt) && j.hold == store.HoldActive && do(j) {
			changed.Attempts = append(changed.Attempts, r)
		}
	}
	return changed
}

// timeOut fails attempts that have exceeded their timeout without a result.
type timeOut struct {
	v1
	ids     []store.AttemptID
	backoff backoff
}

func (*timeOut) kind() Kind { return KindTimeOut }

func (c *timeOut) encode(e *encoder) {
	encodeIDs(e, c.ids)
	c.backoff.encode(e)
}

func decodeTimeOut(d *decoder) command {
	return &timeOut{ids: decodeIDs(d), backoff: decodeBackoff(d)}
}

func (c *timeOut) apply(t *tx) any {
	return t.eachActive(c.ids, func(j *activeJob) bool {
		if j.status == ffrtmp.Paused {
			return false // its timeout does not run
		}
		t.fail(j, store.Result{
			Outcome: ffrtmp.AttemptTimedOut, Reason: ffrtmp.Timeout,
			Error: "ran longer than its timeout",
		}, c.backoff, false)
		return true
	})
}

// reclaim restores lost attempts that their node is still running.
type reclaim struct {
	v1
	node     string
	attempts []leasedRef
}

type leasedRef struct {
	store.AttemptID
	lease lease
}

func (*reclaim) kind() Kind { return KindReclaim }

func (c *reclaim) encode(e *encoder) {
	e.string(c.node)
	e.uint(uint64(len(c.attempts)))
	for i := range c.attempts {
		a := &c.attempts[i]
		encodeID(e, a.AttemptID)
		e.fixed(a.lease[:])
	}
}

func decodeReclaim(d *decoder) command {
	c := &reclaim{node: d.string()}
	c.attempts = make([]leasedRef, d.count(2+len(lease{})))
	for i := range c.attempts {
		a := &c.attempts[i]
		a.AttemptID = decodeID(d)
		d.fixed(a.lease[:])
	}
	return c
}

// apply restores those that have not been claimed since. A v2.2 node has no leases.
func (c *reclaim) apply(t *tx) any {
	n, err := t.nodes.find(c.node)
	if err != nil {
		return err
	}
	var changed Changed
	for _, a := range c.attempts {
		j, ok := t.jobs[a.Seq]
		if ok && j.hold == store.HoldLost && j.node == n && j.attempt == int64(a.Attempt) && (j.lease == a.lease ||
			n.Legacy) {
			t.reclaim(j)
			changed.Attempts = append(changed.Attempts, a.AttemptID)
		}
	}
	return changed
}
