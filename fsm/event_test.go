package fsm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// allEvents reads all events after a resume point.
func (c *cluster) allEvents(after ffrtmp.EventID) []ffrtmp.Event {
	c.Helper()
	var all []ffrtmp.Event
	for {
		list, upTo, err := c.fsm.Events(c.Context(), after)
		if err != nil {
			c.Fatal(err)
		}
		if all = append(all, list...); upTo == after {
			return all
		}
		after = upTo
	}
}

// formatEvents writes one line for each event.
func formatEvents(list []ffrtmp.Event) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s %s", e.ID(), e.Type)
		if e.JobID != "" {
			fmt.Fprintf(&b, " %d.%d", e.SequenceNumber, e.Attempt)
		}
		if e.NodeID != "" {
			b.WriteString(" on a node")
		}
		if e.Retry > 0 {
			fmt.Fprintf(&b, " retry %d", e.Retry)
		}
		if e.FailureReason != "" {
			fmt.Fprintf(&b, " %s", e.FailureReason)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Every change of state has an event, and reading resumes after any of them.
func TestEvents_EveryTransition(t *testing.T) {
	c := newCluster(t)
	node := c.register("a")
	seq := c.submit()
	a := c.claimOne(node)
	c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	c.after(time.Minute)
	a = c.claimOne(node)
	c.expire(a)
	if _, _, err := c.Reclaim(t.Context(), node, []store.Attempt{{AttemptID: store.AttemptID{
		Seq:     a.Seq,
		Attempt: a.Attempt,
	}, Lease: a.Lease}}); err != nil {
		t.Fatal(err)
	}
	c.mustAct(ffrtmp.Pause, seq)
	c.mustAct(ffrtmp.Resume, seq)
	c.mustResult(node, a, ffrtmp.ResultPublishing)
	c.mustResult(node, a, ffrtmp.ResultPublishing) // changes nothing
	c.mustResult(node, a, ffrtmp.ResultCompleted)
	for _, e := range []ffrtmp.Eligibility{ffrtmp.Cordoned, ffrtmp.Draining, ffrtmp.Eligible, ffrtmp.Eligible} {
		if _, _, err := c.SetEligibility(t.Context(), Idempotency{}, node, e, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, offline := range []bool{true, false} {
		if _, _, err := c.SetOffline(t.Context(), []string{node}, offline); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := c.Submit(t.Context(), Idempotency{}, []ffrtmp.Spec{newSpec(t), newSpec(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Patch(t.Context(), Idempotency{}, 2,
		ffrtmp.Patch{Labels: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	c.mustAct(ffrtmp.Cancel, 2)
	c.mustAct(ffrtmp.Cancel, 2) // changes nothing
	c.mustAct(ffrtmp.Retry, 2)
	b := c.claimOne(node)
	c.mustResult(node, b, ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no"))
	if _, _, err := c.RemoveNode(t.Context(), node, true); err != nil {
		t.Fatal(err)
	}
	want := `1.0 node.registered on a node
2.0 job.submitted 1.0
3.0 job.started 1.1 on a node
4.0 job.retrying 1.1 on a node retry 1 runtime_error
5.0 job.started 1.2 on a node
6.0 job.lost 1.2 on a node
7.0 job.recovered 1.2 on a node
8.0 job.paused 1.2 on a node
9.0 job.resumed 1.2 on a node
10.0 job.publishing 1.2 on a node
12.0 job.completed 1.2 on a node
13.0 node.cordoned on a node
14.0 node.draining on a node
15.0 node.eligible on a node
17.0 node.offline on a node
18.0 node.online on a node
19.0 job.submitted 2.0
19.1 job.submitted 3.0
20.0 job.changed 2.0
21.0 job.canceled 2.0
23.0 job.requeued 2.0
24.0 job.started 2.1 on a node
25.0 job.failed 2.1 on a node user_error
26.0 node.removed on a node
`
	all := c.allEvents(ffrtmp.EventID{})
	if diff := cmp.Diff(want, formatEvents(all)); diff != "" {
		t.Error(diff)
	}
	completed := all[10]
	if j := c.job(1); completed.JobID != j.ID || completed.NodeID != node || !completed.Time.Equal(j.CompletedAt) {
		t.Errorf("got event %+v, want one of job %+v", completed, j)
	}
	// Resuming after any event returns the rest.
	for i, e := range all {
		if diff := cmp.Diff(formatEvents(all[i+1:]), formatEvents(c.allEvents(e.ID()))); diff != "" {
			t.Fatalf("events after %s: -want +got:\n%s", e.ID(), diff)
		}
	}
	last, err := c.fsm.LastEvent(t.Context())
	if err != nil || last != (ffrtmp.EventID{Index: 26}) {
		t.Errorf("got last event %s, %v, want 26.0", last, err)
	}
}

// A reader that changes between copies of the state sees the same events.
func TestEvents_RestartsAndSnapshots(t *testing.T) {
	c := newCluster(t)
	h := newHistory(c, rand.New(rand.NewPCG(7, 7)))
	for range store.MaxEntries + 100 {
		h.submitSome()
		h.claim(h.nodes[0], 1)
	}
	want := c.allEvents(ffrtmp.EventID{})
	if len(want) < store.MaxEntries {
		t.Fatalf("only %d events", len(want))
	}
	c.reopen()
	got, upTo, err := c.fsm.Events(t.Context(), ffrtmp.EventID{})
	if err != nil {
		t.Fatal(err)
	}
	c.restore(c.snapshot())
	if diff := cmp.Diff(want, append(got, c.allEvents(upTo)...)); diff != "" {
		t.Error(diff)
	}
}

// A large entry is returned in pages: a few of them would take hundreds of megabytes.
func TestEvents_Pages(t *testing.T) {
	c := newCluster(t)
	specs := make([]ffrtmp.Spec, maxEvents/4*3)
	for i := range specs {
		specs[i] = newSpec(t)
	}
	const batches = 2
	for range batches {
		if _, _, err := c.Submit(t.Context(), Idempotency{}, specs); err != nil {
			t.Fatal(err)
		}
	}
	list, upTo, err := c.fsm.Events(t.Context(), ffrtmp.EventID{})
	if err != nil || len(list) != maxEvents || upTo != (ffrtmp.EventID{Index: 2, N: maxEvents/4 - 1}) {
		t.Fatalf("got %d events up to %s, %v, want a full page", len(list), upTo, err)
	}
	all := slices.Concat(list, c.allEvents(upTo))
	if len(all) != batches*len(specs) {
		t.Fatalf("got %d events, want %d", len(all), batches*len(specs))
	}
	for i, e := range all {
		if e.SequenceNumber != uint64(i+1) {
			t.Fatalf("event %d: got %s of job %d, want the job of its position", i, e.ID(), e.SequenceNumber)
		}
	}
}

// An event about a master has its name and what is wrong, cut to a bound. It is published once every master knows the
// command.
func TestEvents_OfMaster(t *testing.T) {
	c := newCluster(t)
	level := Level - 1
	c.Proposer.opts.Level = func() int { return level }
	wantCode(t, c.Report(t.Context(), ffrtmp.BackupFailed, "m1", "x"), ffrtmp.Conflict)
	level = Level
	for _, message := range []string{"disk full", strings.Repeat("é", maxMessage)} {
		if err := c.Report(t.Context(), ffrtmp.BackupFailed, "m1", message); err != nil {
			t.Fatal(err)
		}
	}
	all := c.allEvents(ffrtmp.EventID{})
	if len(all) != 2 || all[0].Type != ffrtmp.BackupFailed || all[0].Master != "m1" || all[0].Message != "disk full" {
		t.Fatalf("got %+v, want two failed backups of m1", all)
	}
	if got := all[1].Message; got != strings.Repeat("é", maxMessage/2) {
		t.Errorf("got a message of %d bytes, want %d", len(got), maxMessage)
	}
	bad := encodeEntry([][]byte{encodeCommand(goldenEnvelope, &incident{what: ffrtmp.JobLost})})
	if _, err := decodeEntry(bad); err == nil {
		t.Error("got no error for an incident of a job, want one")
	}
}
