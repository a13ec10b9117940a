package fsm

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// prune removes everything that finished before a time, and returns the counts.
func (c *cluster) prune(before time.Time) (total Pruned) {
	c.Helper()
	for {
		seqs, err := c.fsm.OldJobs(c.Context(), before, 0, 100)
		if err != nil {
			c.Fatal(err)
		}
		keys, _, err := c.fsm.OldKeys(c.Context(), before, 0, 1000)
		if err != nil {
			c.Fatal(err)
		}
		_, p, err := c.Prune(c.Context(), PruneRequest{Before: before, Events: before, Seqs: seqs, Keys: keys})
		if err != nil {
			c.Fatal(err)
		}
		if p == (Pruned{}) {
			return total
		}
		total.Jobs += p.Jobs
		total.Keys += p.Keys
		total.Nodes += p.Nodes
		total.Entries += p.Entries
	}
}

// Only old finished jobs and their rows are removed.
func TestPrune_OldFinishedJobs(t *testing.T) {
	c := newCluster(t)
	gone := c.register("gone")
	node := c.register("node")
	once := Idempotency{Principal: "p", Key: "once", Hash: [32]byte{1}}
	_, made, err := c.Submit(t.Context(), once, []ffrtmp.Spec{newSpec(t)})
	if err != nil {
		t.Fatal(err)
	}
	old := made.Jobs[0]
	c.mustResult(gone, c.claimOne(gone), ffrtmp.ResultCompleted, func(r *ffrtmp.Result) { r.Logs = "a log" })
	waiting := c.submit(func(s *ffrtmp.Spec) {
		s.Requires = &ffrtmp.Requires{Labels: map[string]string{"no": "where"}}
	})
	revived := c.submit()
	c.mustAct(ffrtmp.Cancel, revived)
	late := c.submit()
	slow := c.claimOne(node)
	if _, _, err := c.RemoveNode(t.Context(), gone, false); err != nil {
		t.Fatal(err)
	}
	c.after(time.Hour)
	cutoff := c.now
	c.mustAct(ffrtmp.Retry, revived)
	c.mustResult(node, slow, ffrtmp.ResultCompleted) // old, but over just now
	young := c.submit()
	c.mustAct(ffrtmp.Cancel, young)
	before := c.fsm.Counts()

	seqs, err := c.fsm.OldJobs(t.Context(), cutoff, 0, 10)
	if err != nil || !slices.Equal(seqs, []uint64{old.SequenceNumber}) {
		t.Fatalf("got old jobs %v (%v)", seqs, err)
	}
	// Jobs that the request does not name are kept.
	_, p, err := c.Prune(t.Context(), PruneRequest{
		Before: cutoff, Seqs: []uint64{1, 2, 3, 4, 5, 6},
		Keys: []store.RequestID{store.NewRequestID("p", "once")},
	})
	if err != nil || p.Jobs != 1 || p.Keys != 1 {
		t.Fatalf("got %+v, %v, want one job and one key pruned", p, err)
	}
	for _, ref := range []string{old.ID, fmt.Sprint(old.SequenceNumber)} {
		_, err := c.fsm.Job(t.Context(), ref)
		wantCode(t, err, ffrtmp.NotFound)
	}
	for _, table := range []string{"job_spec", "job_state", "job_attempt", "job_log", "job_media"} {
		var n int
		err := c.sqlite().QueryRowContext(t.Context(), "SELECT count(*) FROM "+table+" WHERE seq = 1").Scan(&n)
		if err != nil || n != 0 {
			t.Errorf("%s: got %d rows of the job, %v, want 0", table, n, err)
		}
	}
	for _, seq := range []uint64{waiting, revived, late, young} {
		c.job(seq)
	}
	after := c.fsm.Counts()
	if after.Submitted != before.Submitted || after.Jobs[ffrtmp.Completed] != before.Jobs[ffrtmp.Completed] ||
		after.Jobs[ffrtmp.Canceled] != before.Jobs[ffrtmp.Canceled] {
		t.Errorf("cumulative counts: got %+[2]v, want %+[1]v", before, after)
	}
	// The key was removed with its job.
	_, made, err = c.Submit(t.Context(), once, []ffrtmp.Spec{newSpec(t)})
	if err != nil || made.Replayed || made.Jobs[0].SequenceNumber != young+1 {
		t.Errorf("got %+v, %v, want a new job", made, err)
	}
	// A removed node is kept while a job may refer to it.
	if n := c.fsm.state.nodes.byID[gone]; n == nil {
		t.Error("removed node: got pruned, want kept while jobs may refer to it")
	}
	c.checkDerived()

	c.mustAct(ffrtmp.Cancel, waiting)
	c.mustResult(node, c.claimOne(node), ffrtmp.ResultCompleted)
	c.after(time.Hour)
	if p := c.prune(c.now); p.Nodes != 1 {
		t.Errorf("got %+v, want one node pruned", p)
	}
	c.checkDerived()
	_, err = c.fsm.Node(gone)
	wantCode(t, err, ffrtmp.NotFound)
	c.reopen()
	next := c.submit()
	if next != young+2 {
		t.Errorf("after job %d: got %d, want the next number", young+1, next)
	}
}

// An idempotency key is kept as long as any of its jobs.
func TestPrune_Keys(t *testing.T) {
	c := newCluster(t)
	batch := Idempotency{Principal: "p", Key: "batch", Hash: [32]byte{1}}
	if _, _, err := c.Submit(t.Context(), batch, []ffrtmp.Spec{newSpec(t), newSpec(t)}); err != nil {
		t.Fatal(err)
	}
	node := c.register("a")
	other := Idempotency{Principal: "p", Key: "other", Hash: [32]byte{1}}
	if _, _, err := c.SetEligibility(t.Context(), other, node, ffrtmp.Cordoned, 0); err != nil {
		t.Fatal(err)
	}
	c.mustAct(ffrtmp.Cancel, 1)
	c.after(time.Minute)
	if p := c.prune(c.now); p.Jobs != 1 || p.Keys != 1 {
		t.Errorf("got %+v, want one job and one key pruned", p)
	}
	_, made, err := c.Submit(t.Context(), batch, []ffrtmp.Spec{newSpec(t), newSpec(t)})
	if err != nil || !made.Replayed {
		t.Errorf("got %+v, %v, want a replay", made, err)
	}
	c.mustAct(ffrtmp.Cancel, 2)
	c.after(time.Minute)
	if p := c.prune(c.now); p.Jobs != 1 || p.Keys != 1 {
		t.Errorf("got %+v, want one job and one key pruned", p)
	}
}

// Resuming before the kept events fails with code compacted.
func TestPrune_Events(t *testing.T) {
	c := newCluster(t)
	if _, _, err := c.Submit(t.Context(), Idempotency{}, []ffrtmp.Spec{newSpec(t), newSpec(t)}); err != nil {
		t.Fatal(err)
	}
	c.mustAct(ffrtmp.Cancel, 1)
	c.after(time.Minute)
	cutoff := c.now
	c.mustAct(ffrtmp.Cancel, 2)
	if old, err := c.fsm.HasOldEvents(t.Context(), cutoff); !old || err != nil {
		t.Fatal(old, err)
	}
	if p := c.prune(cutoff); p.Entries != 2 {
		t.Errorf("got %+v, want two entries pruned", p)
	}
	if old, err := c.fsm.HasOldEvents(t.Context(), cutoff); old || err != nil {
		t.Fatal(old, err)
	}
	for _, id := range []ffrtmp.EventID{{}, {Index: 1, N: 0}, {Index: 1, N: 1}} {
		_, _, err := c.fsm.Events(t.Context(), id)
		wantCode(t, err, ffrtmp.Compacted)
	}
	if got := formatEvents(c.allEvents(ffrtmp.EventID{Index: 2})); got != "3.0 job.canceled 2.0\n" {
		t.Errorf("events after 2.0: got %s, want 3.0", got)
	}
}

// The file shrinks after rows are removed, while entries are applied.
func TestPrune_ShrinksFile(t *testing.T) {
	c := newCluster(t)
	size := func() int64 {
		info, err := os.Stat(c.fsm.Path())
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	specs := make([]ffrtmp.Spec, 500)
	for i := range specs {
		specs[i] = newSpec(t, func(s *ffrtmp.Spec) {
			s.Parameters = fmt.Appendf(nil, `{"input":"/%s"}`, strings.Repeat("x", 2000))
		})
	}
	for range 6 {
		if _, _, err := c.Submit(t.Context(), Idempotency{}, specs); err != nil {
			t.Fatal(err)
		}
	}
	for first := uint64(1); first <= 3000; first += 500 {
		seqs := make([]uint64, 500)
		for i := range seqs {
			seqs[i] = first + uint64(i)
		}
		cancel := ffrtmp.Change{Action: ffrtmp.Cancel}
		if _, _, err := c.ChangeMany(t.Context(), Idempotency{}, cancel, ffrtmp.Filter{}, seqs); err != nil {
			t.Fatal(err)
		}
	}
	c.settle()
	if err := c.fsm.state.Sync(); err != nil {
		t.Fatal(err)
	}
	full := size()
	c.after(time.Minute)
	if p := c.prune(c.now); p.Jobs != 3000 {
		t.Fatalf("got %+v, want 3000 jobs pruned", p)
	}
	hash := c.hash()
	c.fsm.background.Wait()
	c.fsm.startVacuum() // what was removed as the one before ended
	c.fsm.background.Wait()
	if got := size(); got > full/4 {
		t.Errorf("got a file of %d bytes, want at most a quarter of %d", got, full)
	}
	if c.hash() != hash {
		t.Error("content hash: got a different one after the vacuum")
	}
	c.submit()
	c.reopen()
}
