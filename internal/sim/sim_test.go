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
	firstSeed = flag.Uint64("seed", 1, "first seed")
	seeds     = flag.Int("seeds", 2, "number of seeds, one run each")
	steps     = flag.Int("steps", 2000, "steps of a run")
)

// Under crashes, partitions, freezes and elections no acknowledged job is lost or
// duplicated, no job has two results, no attempt starts after a sealed one, and all masters
// have the same state.
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
	// One run may have too few faults: the seed does not determine the order of goroutines.
	if runs > 0 && lost == 0 || terms < 5*runs {
		t.Errorf("got %d lost attempts and %d terms in %d runs, want more: too few faults to prove anything", lost,
			terms, runs)
	}
}

// simulate returns the number of lost attempts, and the last term.
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

// sameEverywhere compares the whole state of all masters.
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
			w.t.Errorf("%s: got content hash %s, want %s", m.id, got, want)
		}
	}
}
