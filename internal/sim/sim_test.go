package sim

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

var (
	firstSeed = flag.Uint64("seed", 1, "first seed of the simulation")
	seeds     = flag.Int("seeds", 2, "seeds to try, each a run of its own")
	steps     = flag.Int("steps", 2000, "steps in each run")
)

// TestSim_NothingLost is the project's promise: whatever crashes, is cut
// off or freezes, and whoever leads, no acknowledged job is lost or doubled, no job
// has two results, nothing starts beside a sealed attempt, and all masters hold the
// same state.
func TestSim_NothingLost(t *testing.T) {
	runs, lost, terms := 0, 0, 0
	for seed := *firstSeed; seed < *firstSeed+uint64(*seeds); seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, term := simulate(t, seed)
				runs, lost, terms = runs+1, lost+l, terms+int(term)
			})
		})
	}
	// Of a single run that is not certain: the seed does not decide which goroutine is first.
	if runs > 0 && lost == 0 || terms < 5*runs {
		t.Errorf("%d lost attempts in %d runs, terms of %d in all: too little went wrong to prove anything", lost, runs, terms)
	}
}

// simulate returns how many attempts were lost, and the last term.
func simulate(t *testing.T, seed uint64) (lost int, term uint64) {
	w := newWorld(t, seed)
	defer w.close()
	began := time.Now()
	for range *steps {
		w.step()
		<-time.After(time.Duration(w.rng.IntN(80)) * time.Millisecond) // virtual
	}
	w.calls.Wait()
	w.finish()
	w.net.settle()
	lost = w.history.check(t, w.net.leader().state, w.submissions)
	w.sameEverywhere()
	term = w.net.leader().raft.CurrentTerm()
	t.Logf("%v of virtual time, term %d, %d submissions, %d completed, %d attempts lost; %v",
		time.Since(began).Round(time.Second), term, w.submissions, len(w.history.completed), lost, w.history.counts)
	return lost, term
}

// sameEverywhere compares everything that the masters hold.
func (w *world) sameEverywhere() {
	w.t.Helper()
	want := ""
	for _, m := range w.net.members {
		got, err := m.state.ContentHash(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if want == "" {
			want = got
		}
		if got != want {
			w.t.Errorf("%s holds another state than %s", m.id, w.net.members[0].id)
		}
	}
}
