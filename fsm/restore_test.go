package fsm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// open checks a backup for a restore into the cluster.
func (c *cluster) openRestore(backup []byte) *RestoreSource {
	c.Helper()
	s, err := c.fsm.OpenRestore(bytes.NewReader(backup))
	if err != nil {
		c.Fatal(err)
	}
	testkit.Close(c, s)
	return s
}

// restore restores a backup and returns how many attempts it ended.
func (c *cluster) restoreBackup(backup []byte) int {
	c.Helper()
	_, done, err := c.Restore(context.Background(), Idempotency{}, c.openRestore(backup))
	if err != nil {
		c.Fatal(err)
	}
	return done.Count
}

// statuses are those of the jobs by number, "" for none.
func (c *cluster) statuses(seqs ...uint64) (list []ffrtmp.Status) {
	c.Helper()
	for _, seq := range seqs {
		j, err := c.fsm.Job(context.Background(), strconv.FormatUint(seq, 10))
		if ffrtmp.CodeOf(err) == ffrtmp.NotFound {
			list = append(list, "")
			continue
		}
		if err != nil {
			c.Fatal(err)
		}
		list = append(list, j.Status)
	}
	return list
}

// A restore into the live cluster brings the jobs of the backup back, ends every attempt of before and
// after it, and uses no number again.
func TestRestore_Live(t *testing.T) {
	c := newCluster(t)
	c.fsm.SetClusterID(func() string { return "here" })
	node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 9 })
	held, done := c.submit(), c.submit()
	lost := c.submit()
	before := c.claimOne(node)
	finished := c.claimOne(node)
	c.mustResult(node, finished, ffrtmp.ResultPublishing)
	c.mustResult(node, finished, ffrtmp.ResultCompleted)
	gone := c.claimOne(node)
	if _, _, err := c.Expire(context.Background(), []store.AttemptID{gone.AttemptID}); err != nil {
		t.Fatal(err)
	}
	backup := c.backUp()

	late := c.register("late")
	after := c.submit()
	sealed := c.claimOne(node) // the lost job, again
	c.mustResult(node, sealed, ffrtmp.ResultPublishing)
	claimed := c.claimOne(node)
	last := c.fsm.Index()
	restored := c.fsm.Restored()

	if ended := c.restoreBackup(backup); ended != 1 {
		t.Errorf("got %d attempts ended, want the 1 that ran in the backup", ended)
	}
	select {
	case <-restored:
	default:
		t.Error("got no notice of the restore")
	}
	want := []ffrtmp.Status{ffrtmp.Pending, ffrtmp.Completed, ffrtmp.Pending, ""}
	if diff := cmp.Diff(want, c.statuses(held, done, lost, after)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	for name, a := range map[string]store.Attempt{"before": before, "lost": gone, "sealed": sealed} {
		_, err := c.result(node, a, ffrtmp.ResultCompleted)
		if ffrtmp.CodeOf(err) != ffrtmp.StaleAttempt {
			t.Errorf("%s: got %v for its result, want a stale attempt", name, err)
		}
	}
	if _, err := c.result(node, claimed, ffrtmp.ResultCompleted); err == nil {
		t.Error("got a result of a job that is not in the backup accepted")
	}
	_, changed, err := c.Reclaim(context.Background(), node, []store.Attempt{before, gone})
	if err != nil || len(changed.Attempts) > 0 {
		t.Errorf("got %v reclaimed, %v, want none", changed.Attempts, err)
	}
	if next := c.submit(); next <= after {
		t.Errorf("got number %d again, want one above %d", next, after)
	}
	if n, err := c.fsm.Node(late); err != nil || n.Status == "" {
		t.Errorf("got node %+v, %v, want the one that registered after the backup", n, err)
	}
	if a := c.claimOne(node); a.Seq != held || a.AttemptID.Attempt != before.AttemptID.Attempt+1 {
		t.Errorf("got attempt %+v, want the next one of job %d", a.AttemptID, held)
	}
	c.wantRestoredEvent(last)
	memory := c.fsm.ReadyCount(c.now)
	c.reopen()
	if got := c.fsm.ReadyCount(c.now); got != memory {
		t.Errorf("got %d ready jobs after a restart, want %d", got, memory)
	}
}

// wantRestoredEvent checks that the stream continues behind an index, without a gap, with a restore.
func (c *cluster) wantRestoredEvent(last uint64) {
	c.Helper()
	all, _, err := c.fsm.Events(context.Background(), ffrtmp.EventID{})
	if err != nil {
		c.Fatal(err)
	}
	var seen, old bool
	for i, e := range all {
		if i > 0 && !all[i-1].ID().Before(e.ID()) {
			c.Errorf("event %s follows %s", e.ID(), all[i-1].ID())
		}
		old = old || e.Index <= last && e.Type == ffrtmp.JobSubmitted
		if e.Type == ffrtmp.Restored {
			if seen = true; e.Index <= last || e.N != 0 {
				c.Errorf("got the restore at %s, want it first after %d", e.ID(), last)
			}
		}
	}
	if !seen || !old {
		c.Errorf("got a restored event: %v, the events before it: %v; want both", seen, old)
	}
}

// A restore into a fresh cluster, whose index is far below the backup's, brings jobs, nodes and keys;
// it keeps the node that both know, and later entries do not collide with rows of the backup.
func TestRestore_FreshCluster(t *testing.T) {
	old := newCluster(t)
	old.fsm.SetClusterID(func() string { return "old" })
	old.register("only-old")
	shared := old.register("shared")
	for range 50 {
		old.submit()
	}
	running := old.claimOne(shared)
	ctx := WithActor(context.Background(), Actor{Principal: "root"})
	if _, _, _, err := old.CreateKey(ctx, Idempotency{}, ffrtmp.NewKey{Name: "k", Scopes: ffrtmp.Scopes}); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Set(ctx, Setting{Key: predecessorPrefix + "older", Value: "recovered"}); err != nil {
		t.Fatal(err)
	}
	backup := old.backUp()

	c := newCluster(t)
	c.fsm.SetClusterID(func() string { return "new" })
	used := 1000 // ids of its own
	c.Proposer = NewProposer(c, ProposerOptions{
		Now: func() time.Time { return c.now }, NewID: func() string { used++; return numbered(used) },
	})
	mine := c.register("only-new")
	again, _, err := func() (uint64, Registered, error) {
		return c.Register(context.Background(), Idempotency{}, ffrtmp.Registration{
			NodeID: shared,
			Machine: ffrtmp.Machine{
				Name:              "shared",
				Address:           "elsewhere",
				MaxConcurrentJobs: 1,
				Encoders:          []string{"libx264"},
			},
		})
	}()
	if err != nil || again == 0 {
		t.Fatal(err)
	}
	s := c.openRestore(backup)
	if !s.Foreign {
		t.Error("got a backup of another cluster taken for this one's")
	}
	if _, _, err := c.Restore(ctx, Idempotency{Principal: "p", Key: "once"}, s); err != nil {
		t.Fatal(err)
	}
	j := c.job(running.Seq)
	if j.Status != ffrtmp.Pending || len(j.Attempts) != 1 || j.Attempts[0].NodeID != shared ||
		j.Attempts[0].Outcome != ffrtmp.AttemptLost {
		t.Errorf("got %s after %+v, want it pending after the lost one on the shared node", j.Status, j.Attempts)
	}
	if got, want := c.fsm.Predecessors(), []string{"old", "older"}; !slices.Equal(got, want) {
		t.Errorf("got predecessors %q, want %q", got, want)
	}
	if s := c.openRestore(backup); s.Foreign {
		t.Error("got a backup of the predecessor taken for another cluster's")
	}
	if n := len(c.fsm.Nodes()); n != 3 {
		t.Errorf("got %d nodes, want 3", n)
	}
	if n, err := c.fsm.Node(shared); err != nil || n.Address != "elsewhere" {
		t.Errorf("got %+v, %v, want the shared node as it is now", n, err)
	}
	if len(*c.fsm.keys.Load()) != 1 {
		t.Errorf("got %d keys, want the backup's", len(*c.fsm.keys.Load()))
	}
	index := c.fsm.Index()
	_, done, err := c.Restore(ctx, Idempotency{Principal: "p", Key: "once"}, c.openRestore(backup))
	if err != nil || !done.Replayed {
		t.Errorf("got %+v, %v for a repetition, want a replay", done, err)
	}
	for c.fsm.Index() < index+200 { // over the indexes of the backup's rows
		c.submit()
	}
	if _, err := c.Note(ctx, "leader.transfer", "x"); err != nil {
		t.Fatal(err)
	}
	if a := c.claimOne(mine); a.Seq != 1 {
		t.Errorf("got job %d claimed first, want 1", a.Seq)
	}
}

// A key that was revoked after the backup stays revoked, and one made after it stays valid.
func TestRestore_Keys(t *testing.T) {
	c := newCluster(t)
	c.fsm.SetClusterID(func() string { return "here" })
	create := func(name string) string {
		_, k, _, err := c.CreateKey(context.Background(), Idempotency{}, ffrtmp.NewKey{
			Name: name, Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead},
		})
		if err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	early := create("early")
	backup := c.backUp()
	late := create("late")
	if _, _, err := c.RevokeKey(context.Background(), early); err != nil {
		t.Fatal(err)
	}
	c.restoreBackup(backup)
	if k, ok := c.fsm.Credential(early); !ok || k.RevokedAt.IsZero() || k.Live.Err() == nil {
		t.Errorf("got key %+v, want it revoked", k.Key)
	}
	if k, ok := c.fsm.Credential(late); !ok || !k.RevokedAt.IsZero() {
		t.Errorf("got key %+v, want it valid", k.Key)
	}
}

// A backup of a newer restore continues with its lease epoch.
func TestRestore_LeaseEpoch(t *testing.T) {
	c := newCluster(t)
	c.submit()
	first := c.backUp()
	c.restoreBackup(first)
	c.restoreBackup(first)
	if got := c.openRestore(c.backUp()).Manifest.LeaseEpoch; got != 2 {
		t.Errorf("got lease epoch %d after two restores, want 2", got)
	}
}

// Nothing changes when a restore is interrupted, another one begins, or its chunks are gone.
func TestRestore_Interrupted(t *testing.T) {
	c := newCluster(t)
	c.submit()
	backup := c.backUp()
	kept := c.submit()
	s := c.openRestore(backup)
	first, err := c.sendChunks(context.Background(), lease{1}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.sendChunks(context.Background(), lease{2}, s); err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]command{
		"of the restore that was replaced": &restore{restore: lease{1}, chunks: first},
		"with a chunk too few":             &restore{restore: lease{2}, chunks: first - 1},
		"with a chunk too many":            &restore{restore: lease{2}, chunks: first + 1},
	} {
		_, _, err := propose[Done](context.Background(), c.Proposer, Idempotency{}, command)
		if ffrtmp.CodeOf(err) != ffrtmp.Conflict {
			t.Errorf("%s: got %v, want a conflict", name, err)
		}
	}
	_, _, err = propose[Done](context.Background(), c.Proposer, Idempotency{}, &backupPart{restore: lease{1}, n: first})
	if ffrtmp.CodeOf(err) != ffrtmp.Conflict {
		t.Errorf("a late chunk: got %v, want a conflict", err)
	}
	if got := c.statuses(kept)[0]; got != ffrtmp.Pending {
		t.Errorf("got the newer job %q, want it untouched", got)
	}
	c.discardChunks(context.Background())
	var left int
	if err := c.sqlite().QueryRow("SELECT count(*) FROM restore_chunk").Scan(&left); err != nil || left != 0 {
		t.Errorf("got %d chunks left, %v, want none", left, err)
	}
	if files, _ := filepath.Glob(filepath.Join(c.fsm.files.Dir(), "state-*.db")); len(files) != 1 {
		t.Errorf("got state files %v, want the current one", files)
	}
}

// Replicas that apply a restore in one batch, entry by entry, or after a restart come to the same state.
func TestRestore_Deterministic(t *testing.T) {
	c := newCluster(t)
	node := c.register("a")
	c.submit()
	c.submit()
	c.claimOne(node)
	backup := c.backUp()
	c.register("b")
	c.submit()
	c.restoreBackup(backup)
	c.submit()
	batched := newCluster(t)
	batched.fsm.ApplyBatch(c.entries)
	restarted := newCluster(t)
	for _, e := range c.entries {
		restarted.fsm.ApplyBatch([]*raft.Log{e})
		restarted.reopen()
	}
	restarted.fsm.ApplyBatch(c.entries) // again: all were applied
	want := c.hash()
	if got := batched.hash(); got != want {
		t.Error("got another state from one batch")
	}
	if got := restarted.hash(); got != want {
		t.Error("got another state with a restart after each entry")
	}
}

// A restore is refused while masters run different versions, and what a dead process left is removed.
func TestRestore_Refused(t *testing.T) {
	c := newCluster(t)
	c.submit()
	s := c.openRestore(c.backUp())
	old := NewProposer(c, ProposerOptions{Level: func() int { return Level - 1 }})
	if _, _, err := old.Restore(context.Background(), Idempotency{}, s); ffrtmp.CodeOf(err) != ffrtmp.Conflict ||
		!strings.Contains(err.Error(), "upgrade") {
		t.Errorf("got %v, want a conflict that says to upgrade", err)
	}
	if _, err := c.fsm.OpenRestore(strings.NewReader("hello")); !errors.Is(err, store.ErrForeign) {
		t.Errorf("got %v, want %v", err, store.ErrForeign)
	}
	c.reopen()
	if left, _ := filepath.Glob(filepath.Join(c.fsm.files.Dir(), store.RestorePrefix+"*")); left != nil {
		t.Errorf("got %v after a restart, want it removed", left)
	}
	if _, err := os.Stat(s.path); err == nil {
		t.Error("got the file of a restore kept")
	}
}

// The chunks of a restore that was given up are removed with what is older than the retention.
func TestRestore_ChunksPruned(t *testing.T) {
	c := newCluster(t)
	c.submit()
	if _, err := c.sendChunks(context.Background(), lease{1}, c.openRestore(c.backUp())); err != nil {
		t.Fatal(err)
	}
	c.after(chunksKept + time.Minute)
	if _, _, err := c.Prune(context.Background(), PruneRequest{}); err != nil {
		t.Fatal(err)
	}
	var left int
	if err := c.sqlite().QueryRow("SELECT count(*) FROM restore_chunk").Scan(&left); err != nil || left != 0 {
		t.Errorf("got %d chunks left, %v, want none", left, err)
	}
}
