package fsm

import (
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

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
		_, done, err := c.CancelMany(c.Context(), id, ffrtmp.Filter{Status: ffrtmp.StatusIn(ffrtmp.Pending)}, all)
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
