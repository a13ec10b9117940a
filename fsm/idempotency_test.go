package fsm

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A key whose submission is refused can be used again, and a used one makes nothing twice.
func TestIdempotency_RefusedSubmission(t *testing.T) {
	c := newCluster(t)
	key := Idempotency{Principal: "p", Key: "k", Hash: [32]byte{1}}
	_, _, err := c.Submit(t.Context(), key, nil)
	wantCode(t, err, ffrtmp.Invalid)
	key.Hash[0] = 2 // which would be a conflict, had the refusal kept the key
	for _, replayed := range []bool{false, true} {
		_, made, err := c.Submit(t.Context(), key, []ffrtmp.Spec{newSpec(t), newSpec(t)})
		check(t, err)
		if made.Replayed != replayed || len(made.Jobs) != 2 || made.Jobs[0].SequenceNumber != 1 {
			t.Errorf("got %+v, want jobs 1 and 2, replayed %v", made, replayed)
		}
	}
	if n := c.fsm.Counts().Submitted; n != 2 {
		t.Errorf("got %d jobs, want 2", n)
	}
}
