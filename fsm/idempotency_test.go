package fsm

import (
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

func TestIdempotency_Submit(t *testing.T) {
	c := newCluster(t)
	specs := []ffrtmp.Spec{newSpec(t), newSpec(t)}
	id := Idempotency{Principal: "p", Key: "k", Hash: [32]byte{1}}
	_, first, err := c.Submit(c.Context(), id, specs)
	if err != nil || first.Replayed || len(first.Jobs) != 2 {
		t.Fatalf("%+v %v", first, err)
	}
	c.reopen()
	_, second, err := c.Submit(c.Context(), id, specs)
	if err != nil || !second.Replayed || len(second.Jobs) != 2 || second.Jobs[0] != first.Jobs[0] || second.Jobs[1] != first.Jobs[1] {
		t.Fatalf("%+v %v", second, err)
	}
	other := id
	other.Hash = [32]byte{2}
	_, _, err = c.Submit(c.Context(), other, specs)
	wantCode(t, err, ffrtmp.Conflict)
	id.Principal = "q"
	if _, third, err := c.Submit(c.Context(), id, specs); err != nil || third.Replayed {
		t.Fatalf("another principal's key: %+v %v", third, err)
	}
	if n := c.fsm.Counts().Submitted; n != 4 {
		t.Fatalf("%d jobs were submitted", n)
	}
}

func TestIdempotency_ARefusalIsNotKept(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	id := Idempotency{Principal: "p", Key: "k"}
	_, _, err := c.Act(c.Context(), id, ffrtmp.Resume, seq)
	wantCode(t, err, ffrtmp.Conflict)
	c.mustAct(ffrtmp.Pause, seq)
	if _, done, err := c.Act(c.Context(), id, ffrtmp.Resume, seq); err != nil || done.Replayed {
		t.Fatalf("%+v %v", done, err)
	}
	if _, done, err := c.Act(c.Context(), id, ffrtmp.Resume, seq); err != nil || !done.Replayed || done.Seq != seq {
		t.Fatalf("%+v %v", done, err)
	}
}

func TestCancelMany(t *testing.T) {
	c := newCluster(t)
	var all []uint64
	for range maxCancel + 10 {
		all = append(all, uint64(len(all)+1))
	}
	specs := slices.Repeat([]ffrtmp.Spec{newSpec(t)}, len(all))
	if _, _, err := c.Submit(c.Context(), Idempotency{}, specs); err != nil {
		t.Fatal(err)
	}
	node := c.register("a")
	running := c.claimOne(node)
	id := Idempotency{Principal: "p", Key: "k"}
	for i, replayed := range []bool{false, true} {
		_, done, err := c.CancelMany(c.Context(), id, ffrtmp.Filter{Status: ffrtmp.Pending}, all)
		if err != nil || done.Count != len(all)-1 || done.Replayed != replayed {
			t.Fatalf("time %d: %+v %v", i, done, err)
		}
	}
	if j := c.job(running.Seq); j.Status != ffrtmp.Running {
		t.Fatalf("a job that was claimed meanwhile is %s", j.Status)
	}
	if n := c.fsm.Counts().Jobs; n[ffrtmp.Canceled] != int64(len(all)-1) || n[ffrtmp.Pending] != 0 || n[ffrtmp.Running] != 1 {
		t.Fatalf("%v", n)
	}
}
