package fsm

import (
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A bulk request of several commands counts all that it changed, and is not repeated under its key.
func TestChangeMany_SeveralCommands(t *testing.T) {
	c := newCluster(t)
	var all []uint64
	for range maxChanged + 10 {
		all = append(all, uint64(len(all)+1))
	}
	specs := slices.Repeat([]ffrtmp.Spec{newSpec(t)}, len(all))
	if _, _, err := c.Submit(c.Context(), Idempotency{}, specs); err != nil {
		t.Fatal(err)
	}
	node := c.register("a")
	running := c.claimOne(node)
	id := Idempotency{Principal: "p", Key: "k"}
	pending, cancel := ffrtmp.Filter{Status: ffrtmp.StatusIn(ffrtmp.Pending)}, ffrtmp.Change{Action: ffrtmp.Cancel}
	for i, replayed := range []bool{false, true} {
		_, done, err := c.ChangeMany(c.Context(), id, cancel, pending, all)
		if err != nil || done.Count != len(all)-1 || done.Replayed != replayed {
			t.Fatalf("request %d: got %+v, %v, want all pending jobs canceled", i, done, err)
		}
	}
	if j := c.job(running.Seq); j.Status != ffrtmp.Running {
		t.Fatalf("got status %s, want running", j.Status)
	}
	if n := c.fsm.Counts().Jobs; n[ffrtmp.Canceled] != int64(len(all)-1) || n[ffrtmp.Pending] != 0 ||
		n[ffrtmp.Running] != 1 {
		t.Fatalf("got counts %v, want one running and the rest canceled", n)
	}
}

// A change alters the jobs whose states allow it, and Changeable says which.
func TestChangeMany_OnlyWhatAllowsIt(t *testing.T) {
	for _, test := range []struct {
		change ffrtmp.Change
		to     map[string]ffrtmp.Status
	}{
		{change: ffrtmp.Change{Action: ffrtmp.Cancel}, to: map[string]ffrtmp.Status{
			"pending": ffrtmp.Canceled, "running": ffrtmp.Canceled, "lost": ffrtmp.Canceled,
			"retrying": ffrtmp.Canceled, "paused": ffrtmp.Canceled, "paused while pending": ffrtmp.Canceled,
			"paused and lost": ffrtmp.Canceled,
		}},
		{change: ffrtmp.Change{Action: ffrtmp.Pause}, to: map[string]ffrtmp.Status{
			"pending": ffrtmp.Paused, "running": ffrtmp.Paused, "lost": ffrtmp.Paused, "retrying": ffrtmp.Paused,
		}},
		{change: ffrtmp.Change{Action: ffrtmp.Resume}, to: map[string]ffrtmp.Status{
			"paused": ffrtmp.Running, "paused while pending": ffrtmp.Pending, "paused and lost": ffrtmp.Pending,
		}},
		{change: ffrtmp.Change{Action: ffrtmp.Retry}, to: map[string]ffrtmp.Status{
			"failed": ffrtmp.Pending, "canceled": ffrtmp.Pending,
		}},
		{change: ffrtmp.Change{Priority: ffrtmp.High}, to: map[string]ffrtmp.Status{
			"pending": ffrtmp.Pending, "lost": ffrtmp.Pending, "retrying": ffrtmp.Pending,
		}},
		{change: ffrtmp.Change{Priority: ffrtmp.Medium}}, // which they have
	} {
		t.Run(test.change.String(), func(t *testing.T) { checkChange(t, test.change, test.to) })
	}
}

// checkChange makes a change to a job in each situation, on a cluster of its own.
func checkChange(t *testing.T, change ffrtmp.Change, to map[string]ffrtmp.Status) {
	for _, s := range situations {
		c := newCluster(t)
		seq, _, _ := s.reach(c)
		want, count := c.job(seq), 0
		if to[s.name] != "" {
			want.Status, count = to[s.name], 1
			if change.Priority != "" {
				want.Priority = change.Priority
			}
		}
		got, err := c.fsm.Changeable(c.Context(), ffrtmp.Filter{Queue: ffrtmp.Default}, change)
		if err != nil || len(got) != count || count == 1 && got[0] != seq {
			t.Errorf("%s: got changeable jobs %v, %v, want %d", s.name, got, err, count)
		}
		_, done, err := c.ChangeMany(c.Context(), Idempotency{}, change, ffrtmp.Filter{}, []uint64{seq, 99})
		if err != nil || done.Count != count {
			t.Errorf("%s: got %+v, %v, want %d changed", s.name, done, err, count)
		}
		if j := c.job(seq); j.Status != want.Status || j.Priority != want.Priority {
			t.Errorf("%s: got %s, %s, want %s, %s", s.name, j.Status, j.Priority, want.Status, want.Priority)
		}
		c.checkDerived()
	}
}

// A bulk request changes only jobs that still have the status and the node it selected them by.
func TestChangeMany_StatusAndNode(t *testing.T) {
	c := newCluster(t)
	a, b := c.register("a"), c.register("b")
	c.submit()
	onA := c.claimOne(a)
	c.submit()
	c.claimOne(b)
	waiting := c.submit()
	for _, filter := range []ffrtmp.Filter{
		{NodeID: a, Status: ffrtmp.StatusIn(ffrtmp.Pending)}, {Status: "paused,failed"}, {NodeID: a},
	} {
		seqs := []uint64{1, 2, waiting}
		_, done, err := c.ChangeMany(c.Context(), Idempotency{}, ffrtmp.Change{Action: ffrtmp.Pause}, filter, seqs)
		if want := filter.Status == ""; err != nil || (done.Count == 1) != want || done.Count > 1 {
			t.Errorf("%+v: got %+v, %v, want one paused: %t", filter, done, err, want)
		}
	}
	if j := c.job(onA.Seq); j.Status != ffrtmp.Paused {
		t.Errorf("got %s, want paused", j.Status)
	}
}
