package leader

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// finish makes n finished jobs.
func (b *bed) finish(n int) {
	b.t.Helper()
	specs := make([]ffrtmp.Spec, n)
	for i := range specs {
		specs[i].Scenario = "720p"
		if err := specs[i].Validate(); err != nil {
			b.t.Fatal(err)
		}
	}
	_, made, err := b.proposer.Submit(b.t.Context(),
		fsm.Idempotency{Principal: "p", Key: strconv.Itoa(int(b.log.count()))}, specs)
	if err != nil {
		b.t.Fatal(err)
	}
	seqs := make([]uint64, n)
	for i, j := range made.Jobs {
		seqs[i] = j.SequenceNumber
	}
	cancel := ffrtmp.Change{Action: ffrtmp.Cancel}
	if _, _, err := b.proposer.ChangeMany(b.t.Context(), fsm.Idempotency{}, cancel, ffrtmp.Filter{},
		seqs); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) kept() []uint64 {
	b.t.Helper()
	seqs, err := b.fsm.Seqs(b.t.Context(), ffrtmp.Filter{}, 0, 10_000)
	if err != nil {
		b.t.Fatal(err)
	}
	return seqs
}

// Days pass under one leader.
func TestRetention_RemovesOld(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bed) {
		b.finish(2*maxPrune + 1)
		waiting := b.submit(ffrtmp.Spec{})
		time.Sleep(retention / 2)
		b.finish(3)
		time.Sleep(retention/2 - time.Minute)
		if got := len(b.kept()); got != 2*maxPrune+1+1+3 {
			t.Fatalf("got %d jobs within the retention, want %d", got, 2*maxPrune+1+1+3)
		}
		before := b.log.count()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := len(b.kept()); got != 1+3 {
			t.Fatalf("got %d jobs after the retention, want 4", got)
		}
		if entries := b.log.count() - before; entries < 3 || entries > 6 {
			t.Errorf("got %d commands for %d jobs, want 3 to 6", entries, 2*maxPrune+1)
		}
		time.Sleep(retention)
		synctest.Wait()
		j, err := b.fsm.Job(t.Context(), waiting)
		if err != nil || !slices.Equal(b.kept(), []uint64{j.SequenceNumber}) {
			t.Errorf("got jobs %v, %v, want %d", b.kept(), err, j.SequenceNumber)
		}
		if _, _, err := b.fsm.Events(t.Context(), ffrtmp.EventID{}); ffrtmp.CodeOf(err) != ffrtmp.Compacted {
			t.Errorf("got %v for the first day's events, want compacted", err)
		}
		// Nothing is proposed when nothing is old.
		before = b.log.count()
		time.Sleep(24 * time.Hour)
		if b.log.count() != before {
			t.Errorf("got %d entries, want none", b.log.count()-before)
		}
	})
}
