package fsm

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// attemptRef names an attempt in commands.
type attemptRef struct {
	seq     uint64
	attempt int64
}

func encodeRefs(e *encoder, refs []attemptRef) {
	e.uint(uint64(len(refs)))
	for _, r := range refs {
		e.uint(r.seq)
		e.int(r.attempt)
	}
}

func decodeRefs(d *decoder) []attemptRef {
	refs := make([]attemptRef, d.count(2))
	for i := range refs {
		refs[i] = attemptRef{seq: d.uint(), attempt: d.int()}
	}
	return refs
}

// Changed is the result of a command about several attempts: those that it
// changed. The others were no longer as the proposer believed.
type Changed struct{ Attempts []store.AttemptID }

// expire says that leases have run out.
type expire struct {
	first
	refs []attemptRef
}

func (*expire) kind() Kind            { return KindExpire }
func (c *expire) encode(e *encoder)   { encodeRefs(e, c.refs) }
func decodeExpire(d *decoder) command { return &expire{refs: decodeRefs(d)} }

func (c *expire) apply(t *tx) any {
	return t.eachActive(c.refs, func(j *activeJob) bool {
		t.lose(j, true)
		return true
	})
}

// eachActive calls do for those attempts that go on and are not sealed; do reports
// whether it has changed anything.
func (t *tx) eachActive(refs []attemptRef, do func(*activeJob) bool) Changed {
	var changed Changed
	for _, r := range refs {
		if j, ok := t.jobs[r.seq]; ok && j.attempt == r.attempt && j.hold == store.HoldActive && do(j) {
			changed.Attempts = append(changed.Attempts, store.AttemptID{Seq: r.seq, Attempt: int(r.attempt)})
		}
	}
	return changed
}

// timeOut says that attempts have run past their time and their nodes have not
// said how they ended.
type timeOut struct {
	first
	refs    []attemptRef
	backoff backoff
}

func (*timeOut) kind() Kind { return KindTimeOut }

func (c *timeOut) encode(e *encoder) {
	encodeRefs(e, c.refs)
	c.backoff.encode(e)
}

func decodeTimeOut(d *decoder) command {
	return &timeOut{refs: decodeRefs(d), backoff: decodeBackoff(d)}
}

func (c *timeOut) apply(t *tx) any {
	return t.eachActive(c.refs, func(j *activeJob) bool {
		if j.status == ffrtmp.Paused {
			return false // its time stands still
		}
		t.fail(j, ending{outcome: ffrtmp.AttemptTimedOut, reason: ffrtmp.Timeout, error: "ran longer than its timeout"}, c.backoff)
		return true
	})
}

// takeBack says that nodes still run attempts that were taken for lost.
type takeBack struct {
	first
	node     string
	attempts []leasedRef
}

type leasedRef struct {
	attemptRef
	lease lease
}

func (*takeBack) kind() Kind { return KindTakeBack }

func (c *takeBack) encode(e *encoder) {
	e.string(c.node)
	e.uint(uint64(len(c.attempts)))
	for i := range c.attempts {
		a := &c.attempts[i]
		e.uint(a.seq)
		e.int(a.attempt)
		e.fixed(a.lease[:])
	}
}

func decodeTakeBack(d *decoder) command {
	c := &takeBack{node: d.string()}
	c.attempts = make([]leasedRef, d.count(2+len(lease{})))
	for i := range c.attempts {
		a := &c.attempts[i]
		a.seq, a.attempt = d.uint(), d.int()
		d.fixed(a.lease[:])
	}
	return c
}

// apply gives back what has not been claimed since. A v2.2 node has no leases.
func (c *takeBack) apply(t *tx) any {
	n, err := t.nodes.find(c.node)
	if err != nil {
		return err
	}
	var changed Changed
	for _, a := range c.attempts {
		j, ok := t.jobs[a.seq]
		if ok && j.hold == store.HoldLost && j.node == n && j.attempt == a.attempt && (j.lease == a.lease || n.Legacy) {
			t.takeBack(j)
			changed.Attempts = append(changed.Attempts, store.AttemptID{Seq: a.seq, Attempt: int(a.attempt)})
		}
	}
	return changed
}
