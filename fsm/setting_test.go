package fsm

import (
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
)

// The entry that ends a recovery names the old cluster, over restarts and in snapshots.
func TestSuccession(t *testing.T) {
	c := newCluster(t)
	index, term := c.fsm.Applied()
	c.fsm.Apply(&raft.Log{Index: index + 1, Term: max(term, 1), Type: raft.LogCommand, Data: Succession("old")})
	c.restore(c.snapshot())
	if got := c.fsm.Predecessors(); !slices.Equal(got, []string{"old"}) {
		t.Errorf("got predecessors %q, want the old cluster", got)
	}
}

// A setting is read at once, replaced, removed, recorded in the audit log, and in snapshots.
func TestSetting(t *testing.T) {
	c := newCluster(t)
	ctx := WithActor(t.Context(), Actor{Principal: "p", Source: "192.0.2.1"})
	set := func(key, value string) {
		t.Helper()
		change := Setting{Action: "autopilot.set", Target: "x", Detail: "d", Key: key, Value: value}
		if _, err := c.Set(ctx, change); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want string) {
		t.Helper()
		if got := c.fsm.Setting("a"); got != want {
			t.Errorf("got setting %q, want %q", got, want)
		}
	}
	check("")
	set("a", "1")
	set("b", "2")
	set("a", "3")
	check("3")
	c.restore(c.snapshot())
	check("3")
	set("a", "")
	check("")
	page, err := c.fsm.Audit(t.Context(), ffrtmp.AuditPage{Limit: 1})
	if err != nil || len(page.Records) != 1 || page.Records[0].Action != "autopilot.set" ||
		page.Records[0].Detail != "d" {
		t.Errorf("got audit records %+v (%v), want the last setting", page.Records, err)
	}
}
