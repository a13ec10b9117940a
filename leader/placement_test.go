package leader

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// When the deadline of a drain has passed, the node's attempt ends, the agent learns that, and another node gets the
// job; a change of leaders in between does not matter.
func TestDrain_Deadline(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		node, id, j := b.running()
		other := b.register(2, 1)
		_, _, err := b.proposer.SetEligibility(t.Context(), fsm.Idempotency{}, node, ffrtmp.Draining, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		b.NodeChanged(node)
		held := report(j)
		b.lead(false)
		b.lead(true)
		time.Sleep(50 * time.Second)
		if commands := b.beat(node, held); len(commands) != 0 {
			t.Errorf("before the deadline: got commands %v, want none", commands)
		}
		time.Sleep(12 * time.Second)
		synctest.Wait()
		b.wantStatus(id, ffrtmp.Pending, j.Attempt)
		if commands := b.beat(node, held); len(commands) != 1 || commands[0].Command != ffrtmp.CommandStop {
			t.Errorf("after the deadline: got commands %v, want one to stop", commands)
		}
		if next := b.claimOne(other); next.ID != id || next.RetryCount != 0 {
			t.Errorf("got job %s with %d retries for the other node, want %s with none", next.ID, next.RetryCount, id)
		}
	})
}
