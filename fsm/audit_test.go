package fsm

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ffrtmp/ffrtmp"
)

func (c *cluster) audit(page ffrtmp.AuditPage) []ffrtmp.AuditRecord {
	c.Helper()
	if page.Limit == 0 {
		page.Limit = 1000
	}
	list, err := c.fsm.Audit(c.Context(), page)
	if err != nil {
		c.Fatal(err)
	}
	return list.Records
}

// Every administrative write is audited; writes of agents and users are not.
func TestAudit_AdministrativeWrites(t *testing.T) {
	c := newCluster(t)
	made := c.createKey()
	seq, node := c.submit(), c.register("a")
	id := c.job(seq).ID
	ctx := WithActor(c.Context(), Actor{Principal: made.ID, Source: "192.0.2.7", RequestID: "r-1"})
	once := Idempotency{Principal: made.ID, Key: "k"}
	queue, retries := ffrtmp.Live, 5
	for range 2 { // the second one is replayed
		if _, _, err := c.Act(ctx, once, ffrtmp.Pause, seq); err != nil {
			t.Fatal(err)
		}
	}
	check(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Resume, seq)))
	wantCode(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Resume, seq)), ffrtmp.Conflict)
	wantCode(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Resume, 99)), ffrtmp.NotFound)
	change := ffrtmp.Patch{Queue: &queue, MaxRetries: &retries, Labels: map[string]string{"a": "b"}}
	check(t, errOf(c.Patch(ctx, Idempotency{}, seq, change)))
	pending := ffrtmp.Filter{Status: ffrtmp.StatusIn(ffrtmp.Pending)}
	check(t, errOf(c.ChangeMany(ctx, Idempotency{}, ffrtmp.Change{Action: ffrtmp.Cancel}, pending, []uint64{seq})))
	check(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Retry, seq)))
	check(t, errOf(c.SetEligibility(ctx, Idempotency{}, node, ffrtmp.Draining, 0)))
	check(t, errOf(c.SetEligibility(ctx, Idempotency{}, node, ffrtmp.Cordoned, 0)))
	check(t, errOf(c.SetEligibility(ctx, Idempotency{}, node, ffrtmp.Eligible, 0)))
	c.claim(node, 1)
	wantCode(t, errOf(c.RemoveNode(ctx, node, false)), ffrtmp.Conflict)
	check(t, errOf(c.RemoveNode(ctx, node, true)))
	_, second, _, err := c.CreateKey(ctx, Idempotency{}, ffrtmp.NewKey{
		Name:   "second",
		Scopes: []ffrtmp.Scope{ffrtmp.ScopeSubmit, ffrtmp.ScopeAgent}, RateLimit: 3,
	})
	if err != nil || second.CreatedBy != made.ID {
		t.Fatalf("got %+v, %v, want a key created by the actor", second, err)
	}
	check(t, errOf(c.RevokeKey(ctx, second.ID)))
	_, err = c.Note(ctx, "leader.transfer", "m1")
	check(t, err)

	// Commands without an actor are not audited, nor are routine ones of agents and users.
	check(t, errOf(c.Submit(ctx, Idempotency{}, []ffrtmp.Spec{newSpec(t)})))
	old := ffrtmp.Machine{Address: "old:1", Name: "old", Type: "server"}
	check(t, errOf(c.Register(ctx, Idempotency{}, ffrtmp.Registration{Machine: old})))
	check(t, errOf(c.Act(c.Context(), Idempotency{}, ffrtmp.Cancel, seq)))

	want := []ffrtmp.AuditRecord{
		{Action: "leader.transfer", Target: "m1", Outcome: "requested"},
		{Action: "key.revoke", Target: second.ID, Detail: "name=second", Outcome: "ok"},
		{
			Action: "key.create", Target: second.ID, Detail: "scopes=submit,agent rate_limit=3 name=second",
			Outcome: "ok",
		},
		{Action: "node.remove", Target: node, Detail: "force=true", Outcome: "ok"},
		{Action: "node.remove", Target: node, Outcome: "conflict"},
		{Action: "node.uncordon", Target: node, Outcome: "ok"},
		{Action: "node.cordon", Target: node, Outcome: "ok"},
		{Action: "node.drain", Target: node, Outcome: "ok"},
		{Action: "job.retry", Target: id, Outcome: "ok"},
		{Action: "job.cancel-many", Detail: "status=pending selected=1", Outcome: "ok"},
		{Action: "job.patch", Target: id, Detail: `queue=live max_retries=5 labels={"a":"b"}`, Outcome: "ok"},
		{Action: "job.resume", Target: "99", Outcome: "not_found"},
		{Action: "job.resume", Target: id, Outcome: "conflict"},
		{Action: "job.resume", Target: id, Outcome: "ok"},
		{Action: "job.pause", Target: id, Outcome: "ok"},
	}
	got := c.audit(ffrtmp.AuditPage{})
	for i := range got {
		if r := got[i]; r.Principal != made.ID || r.KeyName != "reports" || r.Source != "192.0.2.7" ||
			r.RequestID != "r-1" || r.Time != c.now {
			t.Errorf("got %+v, want the actor, key name and time of the request", r)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(ffrtmp.AuditRecord{}, "ID", "Time", "Principal", "KeyName",
		"Source", "RequestID")); diff != "" {
		t.Error(diff)
	}
	c.reopen()
	if again := c.audit(ffrtmp.AuditPage{}); !cmp.Equal(got, again) {
		t.Error(cmp.Diff(got, again))
	}
}

func TestAudit_Pages(t *testing.T) {
	c := newCluster(t)
	ctx := WithActor(c.Context(), Actor{Principal: "bootstrap"})
	seq := c.submit()
	for range 7 {
		c.after(time.Second)
		wantCode(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Retry, seq)), ffrtmp.Conflict)
	}
	all := c.audit(ffrtmp.AuditPage{})
	if len(all) != 7 || !all[0].Time.Equal(c.now) {
		t.Fatalf("got %+v, want 7 records, the newest of now", all)
	}
	var paged []ffrtmp.AuditRecord
	for page := (ffrtmp.AuditPage{Limit: 3}); ; {
		list, err := c.fsm.Audit(c.Context(), page)
		if err != nil || list.Count != len(list.Records) || list.Count > 3 {
			t.Fatalf("got %+v, %v, want at most 3 records", list, err)
		}
		paged = append(paged, list.Records...)
		if page.Cursor = list.NextCursor; page.Cursor == "" {
			break
		}
		// A later record does not move the pages.
		wantCode(t, errOf(c.Act(ctx, Idempotency{}, ffrtmp.Retry, seq)), ffrtmp.Conflict)
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Error(diff)
	}
	since := all[1].Time
	if got := c.audit(ffrtmp.AuditPage{Since: since}); len(got) != 4 || got[3].Time != since {
		t.Errorf("since %s: got %+v, want 4 records", since, got)
	}
	for _, cursor := range []string{"x", "1", "1.", "1.2x", "-1.0.0"} {
		_, err := c.fsm.Audit(c.Context(), ffrtmp.AuditPage{Limit: 1, Cursor: cursor})
		wantCode(t, err, ffrtmp.Invalid)
	}
}

// Records are kept for a year, then removed as new ones arrive.
func TestAudit_Retention(t *testing.T) {
	c := newCluster(t)
	ctx := WithActor(c.Context(), Actor{Principal: "bootstrap"})
	note := func(action string) {
		if _, err := c.Note(ctx, action, ""); err != nil {
			t.Fatal(err)
		}
	}
	for _, action := range []string{"a", "b", "c"} {
		note(action)
	}
	c.after(auditKept)
	note("d")
	if got := c.audit(ffrtmp.AuditPage{}); len(got) != 4 {
		t.Fatalf("after a year: got %+v, want 4 records", got)
	}
	c.after(time.Second)
	note("e")
	if got := c.audit(ffrtmp.AuditPage{}); len(got) != 3 || got[2].Action != "c" {
		t.Fatalf("after one more record: got %+v, want 3 from c on", got)
	}
	note("f")
	if got := c.audit(ffrtmp.AuditPage{}); len(got) != 3 || got[2].Action != "d" {
		t.Fatalf("after two more records: got %+v, want 3 from d on", got)
	}
}
