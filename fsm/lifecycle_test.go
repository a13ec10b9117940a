package fsm

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// A situation brings a job into a state. It returns the job, the node of its newest
// attempt, and that attempt.
type situation struct {
	name  string
	reach func(c *cluster) (seq uint64, node string, a store.Attempt)
}

func claimedJob(c *cluster) (uint64, string, store.Attempt) {
	seq := c.submit()
	node := c.register("a")
	return seq, node, c.claimOne(node)
}

// afterClaim is the situation of a claimed job after do.
func afterClaim(name string, do func(c *cluster, seq uint64, node string, a store.Attempt)) situation {
	return situation{name, func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		do(c, seq, node, a)
		return seq, node, a
	}}
}

var situations = []situation{
	{"pending", func(c *cluster) (uint64, string, store.Attempt) {
		return c.submit(), c.register("a"), store.Attempt{AttemptID: store.AttemptID{Attempt: 1}}
	}},
	{"running", claimedJob},
	afterClaim("sealed", func(c *cluster, _ uint64, node string, a store.Attempt) {
		c.mustResult(node, a, ffrtmp.ResultPublishing)
	}),
	afterClaim("lost", func(c *cluster, _ uint64, _ string, a store.Attempt) {
		c.expire(a)
	}),
	afterClaim("retrying", func(c *cluster, _ uint64, node string, a store.Attempt) {
		c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	}),
	afterClaim("paused", func(c *cluster, seq uint64, _ string, _ store.Attempt) {
		c.mustAct(ffrtmp.Pause, seq)
	}),
	{"paused while pending", func(c *cluster) (uint64, string, store.Attempt) {
		seq := c.submit()
		c.mustAct(ffrtmp.Pause, seq)
		return seq, c.register("a"), store.Attempt{AttemptID: store.AttemptID{Attempt: 1}}
	}},
	afterClaim("paused and lost", func(c *cluster, seq uint64, _ string, a store.Attempt) {
		c.mustAct(ffrtmp.Pause, seq)
		c.expire(a)
	}),
	afterClaim("completed", func(c *cluster, _ uint64, node string, a store.Attempt) {
		c.mustResult(node, a, ffrtmp.ResultCompleted)
	}),
	afterClaim("failed", func(c *cluster, _ uint64, node string, a store.Attempt) {
		c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no such thing"))
	}),
	afterClaim("canceled", func(c *cluster, seq uint64, _ string, _ store.Attempt) {
		c.mustAct(ffrtmp.Cancel, seq)
	}),
}

// An event is a command about a job.
type event struct {
	name string
	do   func(c *cluster, seq uint64, node string, a store.Attempt) error
}

func action(a ffrtmp.Action) event {
	return event{string(a), func(c *cluster, seq uint64, _ string, _ store.Attempt) error {
		_, _, err := c.Act(c.Context(), Idempotency{}, a, seq)
		return err
	}}
}

func reported(name string, status ffrtmp.ResultStatus, change ...func(*ffrtmp.Result)) event {
	return event{name, func(c *cluster, seq uint64, node string, a store.Attempt) error {
		a.Seq = seq
		_, err := c.result(node, a, status, change...)
		return err
	}}
}

var events = []event{
	action(ffrtmp.Cancel), action(ffrtmp.Pause), action(ffrtmp.Resume), action(ffrtmp.Retry),
	reported("publish", ffrtmp.ResultPublishing),
	reported("complete", ffrtmp.ResultCompleted),
	reported("fail", ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom")),
	reported("fail for good", ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no such thing")),
	reported("release", ffrtmp.ResultCanceled),
	{"expire", func(c *cluster, seq uint64, _ string, a store.Attempt) error {
		_, _, err := c.Expire(c.Context(), []store.AttemptID{{Seq: seq, Attempt: a.Attempt}})
		return err
	}},
	{"time out", func(c *cluster, seq uint64, _ string, a store.Attempt) error {
		_, _, err := c.TimeOut(c.Context(), []store.AttemptID{{Seq: seq, Attempt: a.Attempt}})
		return err
	}},
	{"reclaim", func(c *cluster, seq uint64, node string, a store.Attempt) error {
		a.Seq = seq
		_, _, err := c.Reclaim(c.Context(), node, []store.Attempt{a})
		return err
	}},
	{"claim", func(c *cluster, _ uint64, node string, _ store.Attempt) error {
		_, _, err := c.Claim(c.Context(), node, 1)
		return err
	}},
	{"remove node", func(c *cluster, _ uint64, node string, _ store.Attempt) error {
		_, _, err := c.RemoveNode(c.Context(), node, false)
		return err
	}},
	{"remove node by force", func(c *cluster, _ uint64, node string, _ store.Attempt) error {
		_, _, err := c.RemoveNode(c.Context(), node, true)
		return err
	}},
}

// lifecycle has, for every situation and event, the status of the job and the outcomes of its attempts afterwards,
// or the code of the refusal.
var lifecycle = map[string]map[string]string{
	"pending": {
		"cancel": "canceled", "pause": "paused", "resume": "conflict",
		"retry": "conflict", "publish": "stale_attempt", "complete": "stale_attempt",
		"fail": "stale_attempt", "fail for good": "stale_attempt", "release": "stale_attempt",
		"expire": "pending", "time out": "pending", "reclaim": "pending",
		"claim": "running running", "remove node": "pending", "remove node by force": "pending",
	},
	"running": {
		"cancel": "canceled canceled", "pause": "paused running", "resume": "conflict",
		"retry": "conflict", "publish": "running running", "complete": "completed completed",
		"fail": "pending failed", "fail for good": "failed failed", "release": "pending lost",
		"expire": "pending lost", "time out": "pending timed_out", "reclaim": "running running",
		"claim": "running running", "remove node": "conflict", "remove node by force": "pending lost",
	},
	"sealed": {
		"cancel": "conflict", "pause": "conflict", "resume": "conflict",
		"retry": "conflict", "publish": "running running", "complete": "completed completed",
		"fail": "pending failed", "fail for good": "failed failed", "release": "pending lost",
		"expire": "running running", "time out": "running running", "reclaim": "running running",
		"claim": "running running", "remove node": "conflict", "remove node by force": "pending lost",
	},
	"lost": {
		"cancel": "canceled lost", "pause": "paused lost", "resume": "conflict",
		"retry": "conflict", "publish": "running running", "complete": "completed completed",
		"fail": "pending failed", "fail for good": "failed failed", "release": "pending lost",
		"expire": "pending lost", "time out": "pending lost", "reclaim": "running running",
		"claim": "running lost running", "remove node": "pending lost", "remove node by force": "pending lost",
	},
	"retrying": {
		"cancel": "canceled failed", "pause": "paused failed", "resume": "conflict",
		"retry": "conflict", "publish": "stale_attempt", "complete": "stale_attempt",
		"fail": "pending failed", "fail for good": "pending failed", "release": "stale_attempt",
		"expire": "pending failed", "time out": "pending failed", "reclaim": "pending failed",
		"claim": "pending failed", "remove node": "pending failed", "remove node by force": "pending failed",
	},
	"paused": {
		"cancel": "canceled canceled", "pause": "conflict", "resume": "running running",
		"retry": "conflict", "publish": "running running", "complete": "completed completed",
		"fail": "pending failed", "fail for good": "failed failed", "release": "paused lost",
		"expire": "paused lost", "time out": "paused running", "reclaim": "paused running",
		"claim": "paused running", "remove node": "conflict", "remove node by force": "paused lost",
	},
	"paused while pending": {
		"cancel": "canceled", "pause": "conflict", "resume": "pending",
		"retry": "conflict", "publish": "stale_attempt", "complete": "stale_attempt",
		"fail": "stale_attempt", "fail for good": "stale_attempt", "release": "stale_attempt",
		"expire": "paused", "time out": "paused", "reclaim": "paused",
		"claim": "paused", "remove node": "paused", "remove node by force": "paused",
	},
	"paused and lost": {
		"cancel": "canceled lost", "pause": "conflict", "resume": "pending lost",
		"retry": "conflict", "publish": "running running", "complete": "completed completed",
		"fail": "pending failed", "fail for good": "failed failed", "release": "paused lost",
		"expire": "paused lost", "time out": "paused lost", "reclaim": "paused running",
		"claim": "paused lost", "remove node": "paused lost", "remove node by force": "paused lost",
	},
	"completed": {
		"cancel": "conflict", "pause": "conflict", "resume": "conflict",
		"retry": "conflict", "publish": "completed completed", "complete": "completed completed",
		"fail": "stale_attempt", "fail for good": "stale_attempt", "release": "stale_attempt",
		"expire": "completed completed", "time out": "completed completed", "reclaim": "completed completed",
		"claim": "completed completed", "remove node": "completed completed",
		"remove node by force": "completed completed",
	},
	"failed": {
		"cancel": "conflict", "pause": "conflict", "resume": "conflict",
		"retry": "pending failed", "publish": "stale_attempt", "complete": "stale_attempt",
		"fail": "failed failed", "fail for good": "failed failed", "release": "stale_attempt",
		"expire": "failed failed", "time out": "failed failed", "reclaim": "failed failed",
		"claim": "failed failed", "remove node": "failed failed", "remove node by force": "failed failed",
	},
	"canceled": {
		"cancel": "canceled canceled", "pause": "conflict", "resume": "conflict",
		"retry": "pending canceled", "publish": "stale_attempt", "complete": "stale_attempt",
		"fail": "stale_attempt", "fail for good": "stale_attempt", "release": "canceled canceled",
		"expire": "canceled canceled", "time out": "canceled canceled", "reclaim": "canceled canceled",
		"claim": "canceled canceled", "remove node": "canceled canceled", "remove node by force": "canceled canceled",
	},
}

func TestLifecycle(t *testing.T) {
	c := openCluster(t, Options{}) // one for all: opening costs more than a case
	for _, s := range situations {
		for _, e := range events {
			t.Run(s.name+"/"+e.name, func(t *testing.T) {
				c.TB = t
				seq, node, a := s.reach(c)
				before := rows(c.fsm)
				err := e.do(c, seq, node, a)
				got := string(ffrtmp.CodeOf(err))
				if err == nil {
					j := c.job(seq)
					got = string(j.Status)
					for _, attempt := range j.Attempts {
						got += " " + string(attempt.Outcome)
					}
				}
				if want := lifecycle[s.name][e.name]; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				if err != nil && rows(c.fsm) != before {
					t.Errorf("the refusal changed the state:\n%s\nit was:\n%s", rows(c.fsm), before)
				}
				c.checkDerived()
				c.clear(node, seq)
			})
		}
	}
	c.TB = t
}

// clear removes the job and the node of a case.
func (c *cluster) clear(node string, seq uint64) {
	c.Helper()
	if _, _, err := c.RemoveNode(c.Context(), node, true); err != nil && ffrtmp.CodeOf(err) != ffrtmp.NotFound {
		c.Fatal(err)
	}
	cancel := ffrtmp.Change{Action: ffrtmp.Cancel}
	if _, _, err := c.ChangeMany(c.Context(), Idempotency{}, cancel, ffrtmp.Filter{}, []uint64{seq}); err != nil {
		c.Fatal(err)
	}
}

// rows is the state without its index.
func rows(f *FSM) string {
	_, rest, _ := strings.Cut(f.state.derived(), "\n")
	return rest
}

func (c *cluster) expire(a store.Attempt) {
	c.Helper()
	_, changed, err := c.Expire(c.Context(), []store.AttemptID{{Seq: a.Seq, Attempt: a.Attempt}})
	if err != nil || len(changed.Attempts) != 1 {
		c.Fatalf("got %+v, %v, want one expired attempt", changed, err)
	}
}

func (c *cluster) mustAct(a ffrtmp.Action, seq uint64) {
	c.Helper()
	if _, _, err := c.Act(c.Context(), Idempotency{}, a, seq); err != nil {
		c.Fatal(err)
	}
}
