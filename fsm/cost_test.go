package fsm

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// statements is how many SQL statements a command that comes alone may cost, BEGIN, the update of the applied index and
// COMMIT included. Lower a number when a change lowers it; raise one only for a reason that is worth a slower write.
var statements = map[string]int64{
	"submit": 6, "submit 100": 204, "claim": 5, "publishing": 5, "completed": 6,
}

// allocations is how many allocations a command may cost, from the proposer to its result, as measured plus a fifth:
// the race detector and a background goroutine add a few.
var allocations = map[string]float64{"submit": 95, "cycle": 295}

// A command costs no more statements and allocations than before. Unlike its time they are the same on any machine.
func TestCosts(t *testing.T) {
	c := newCluster(t)
	node := c.register("n1", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 8 })
	cost := func(name string, command func()) {
		t.Helper()
		before := c.fsm.state.Executed()
		command()
		if got := c.fsm.state.Executed() - before; got != statements[name] {
			t.Errorf("%s: got %d statements, want %d", name, got, statements[name])
		}
	}
	cost("submit", func() { c.submit() })
	cost("submit 100", func() {
		specs := make([]ffrtmp.Spec, 100)
		for i := range specs {
			specs[i] = newSpec(t)
		}
		if _, _, err := c.Submit(t.Context(), Idempotency{}, specs); err != nil {
			t.Fatal(err)
		}
	})
	a := c.claimOne(node)
	cost("publishing", func() { c.mustResult(node, a, ffrtmp.ResultPublishing) })
	cost("completed", func() { c.mustResult(node, a, ffrtmp.ResultCompleted) })
	cost("claim", func() { a = c.claimOne(node) })

	allocated := func(name string, command func()) {
		t.Helper()
		got := testing.AllocsPerRun(100, command)
		if got > allocations[name] {
			t.Errorf("%s: got %.0f allocations, want at most %.0f", name, got, allocations[name])
		}
	}
	allocated("submit", func() { c.submit() })
	allocated("cycle", func() {
		c.submit()
		a := c.claimOne(node)
		c.mustResult(node, a, ffrtmp.ResultPublishing)
		c.mustResult(node, a, ffrtmp.ResultCompleted)
	})
}
