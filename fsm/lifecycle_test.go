package fsm

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// A situation is a way to bring a job into a state. It returns the job, the node
// that holds or held its newest attempt, and that attempt.
type situation struct {
	name  string
	reach func(c *cluster) (seq uint64, node string, a store.Attempt)
}

func claimedJob(c *cluster) (uint64, string, store.Attempt) {
	seq := c.submit()
	node := c.register("a")
	return seq, node, c.claimOne(node)
}

var situations = []situation{
	{"pending", func(c *cluster) (uint64, string, store.Attempt) {
		return c.submit(), c.register("a"), store.Attempt{AttemptID: store.AttemptID{Attempt: 1}}
	}},
	{"running", claimedJob},
	{"sealed", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustResult(node, a, ffrtmp.ResultPublishing)
		return seq, node, a
	}},
	{"lost", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.expire(a)
		return seq, node, a
	}},
	{"retrying", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
		return seq, node, a
	}},
	{"paused", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustAct(ffrtmp.Pause, seq)
		return seq, node, a
	}},
	{"paused while pending", func(c *cluster) (uint64, string, store.Attempt) {
		seq := c.submit()
		c.mustAct(ffrtmp.Pause, seq)
		return seq, c.register("a"), store.Attempt{AttemptID: store.AttemptID{Attempt: 1}}
	}},
	{"paused and lost", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustAct(ffrtmp.Pause, seq)
		c.expire(a)
		return seq, node, a
	}},
	{"completed", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustResult(node, a, ffrtmp.ResultCompleted)
		return seq, node, a
	}},
	{"failed", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no such thing"))
		return seq, node, a
	}},
	{"canceled", func(c *cluster) (uint64, string, store.Attempt) {
		seq, node, a := claimedJob(c)
		c.mustAct(ffrtmp.Cancel, seq)
		return seq, node, a
	}},
}

// An event is what may happen to a job.
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
	reported("give back", ffrtmp.ResultCanceled),
	{"expire", func(c *cluster, seq uint64, _ string, a store.Attempt) error {
		_, _, err := c.Expire(c.Context(), []store.AttemptID{{Seq: seq, Attempt: a.Attempt}})
		return err
	}},
	{"time out", func(c *cluster, seq uint64, _ string, a store.Attempt) error {
		_, _, err := c.TimeOut(c.Context(), []store.AttemptID{{Seq: seq, Attempt: a.Attempt}})
		return err
	}},
	{"take back", func(c *cluster, seq uint64, node string, a store.Attempt) error {
		_, _, err := c.Reclaim(c.Context(), node, []store.Attempt{{AttemptID: store.AttemptID{Seq: seq, Attempt: a.Attempt}, Lease: a.Lease}})
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

// lifecycle says what becomes of a job: by situation, for every event in the
// order of the list above, the status and the outcomes of its attempts afterwards,
// or the code of the refusal.
var lifecycle = map[string][]string{
	//                       cancel             pause             resume            retry             publish            complete           fail               fail for good      give back          expire             time out           take back          claim               remove            remove by force
	"pending":              {"canceled", "paused", "conflict", "conflict", "stale_attempt", "stale_attempt", "stale_attempt", "stale_attempt", "stale_attempt", "pending", "pending", "pending", "running running", "pending", "pending"},
	"running":              {"canceled canceled", "paused running", "conflict", "conflict", "running running", "completed completed", "pending failed", "failed failed", "pending lost", "pending lost", "pending timed_out", "running running", "running running", "conflict", "pending lost"},
	"sealed":               {"conflict", "conflict", "conflict", "conflict", "running running", "completed completed", "pending failed", "failed failed", "pending lost", "running running", "running running", "running running", "running running", "conflict", "pending lost"},
	"lost":                 {"canceled lost", "paused lost", "conflict", "conflict", "running running", "completed completed", "pending failed", "failed failed", "pending lost", "pending lost", "pending lost", "running running", "running lost running", "pending lost", "pending lost"},
	"retrying":             {"canceled failed", "paused failed", "conflict", "conflict", "stale_attempt", "stale_attempt", "pending failed", "pending failed", "stale_attempt", "pending failed", "pending failed", "pending failed", "pending failed", "pending failed", "pending failed"},
	"paused":               {"canceled canceled", "conflict", "running running", "conflict", "running running", "completed completed", "pending failed", "failed failed", "paused lost", "paused lost", "paused running", "paused running", "paused running", "conflict", "paused lost"},
	"paused while pending": {"canceled", "conflict", "pending", "conflict", "stale_attempt", "stale_attempt", "stale_attempt", "stale_attempt", "stale_attempt", "paused", "paused", "paused", "paused", "paused", "paused"},
	"paused and lost":      {"canceled lost", "conflict", "pending lost", "conflict", "running running", "completed completed", "pending failed", "failed failed", "paused lost", "paused lost", "paused lost", "paused running", "paused lost", "paused lost", "paused lost"},
	"completed":            {"conflict", "conflict", "conflict", "conflict", "completed completed", "completed completed", "stale_attempt", "stale_attempt", "stale_attempt", "completed completed", "completed completed", "completed completed", "completed completed", "completed completed", "completed completed"},
	"failed":               {"conflict", "conflict", "conflict", "pending failed", "stale_attempt", "stale_attempt", "failed failed", "failed failed", "stale_attempt", "failed failed", "failed failed", "failed failed", "failed failed", "failed failed", "failed failed"},
	"canceled":             {"canceled canceled", "conflict", "conflict", "pending canceled", "stale_attempt", "stale_attempt", "stale_attempt", "stale_attempt", "canceled canceled", "canceled canceled", "canceled canceled", "canceled canceled", "canceled canceled", "canceled canceled", "canceled canceled"},
}

func TestLifecycle(t *testing.T) {
	c := openCluster(t, Options{}) // one for all: opening costs more than a case
	for _, s := range situations {
		for i, e := range events {
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
				if want := lifecycle[s.name][i]; got != want {
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

// clear takes a job and a node out of the way of the next case.
func (c *cluster) clear(node string, seq uint64) {
	c.Helper()
	if _, _, err := c.RemoveNode(c.Context(), node, true); err != nil && ffrtmp.CodeOf(err) != ffrtmp.NotFound {
		c.Fatal(err)
	}
	if _, _, err := c.CancelMany(c.Context(), Idempotency{}, ffrtmp.Filter{}, []uint64{seq}); err != nil {
		c.Fatal(err)
	}
}

// rows is the state but for the index that it reflects.
func rows(f *FSM) string {
	_, rest, _ := strings.Cut(f.state.derived(), "\n")
	return rest
}

func (c *cluster) expire(a store.Attempt) {
	c.Helper()
	_, changed, err := c.Expire(c.Context(), []store.AttemptID{{Seq: a.Seq, Attempt: a.Attempt}})
	if err != nil || len(changed.Attempts) != 1 {
		c.Fatalf("%+v %v", changed, err)
	}
}

func (c *cluster) mustAct(a ffrtmp.Action, seq uint64) {
	c.Helper()
	if _, _, err := c.Act(c.Context(), Idempotency{}, a, seq); err != nil {
		c.Fatal(err)
	}
}
