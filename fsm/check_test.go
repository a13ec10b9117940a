package fsm

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// twin applies the cluster's entries to another state.
func (c *cluster) twin() *cluster {
	c.Helper()
	dir := c.TempDir()
	other := openCluster(c.TB, Options{Path: filepath.Join(dir, "master.db"), Dir: filepath.Join(dir, "master.raft")})
	other.follow(c)
	return other
}

// follow applies what another cluster has applied.
func (c *cluster) follow(other *cluster) {
	c.fsm.ApplyBatch(other.entries[c.index:])
	c.index = other.index
}

// edit changes the database as an operator does with sqlite3.
func (c *cluster) edit(statement string) {
	c.Helper()
	db, err := sql.Open("sqlite", sqlitedsn.File(c.fsm.Path(), "_pragma=busy_timeout(5000)"))
	if err != nil {
		c.Fatal(err)
	}
	result, err := db.Exec(statement)
	if err != nil {
		c.Fatal(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		c.Fatalf("%s: got %d rows, %v, want some changed", statement, n, err)
	}
	if err := db.Close(); err != nil {
		c.Fatal(err)
	}
}

// sums checks both clusters and returns the tables that differ.
func (c *cluster) sums(other *cluster, from store.Cursors) []string {
	c.Helper()
	index, err := c.Check(c.Context(), from)
	if err != nil {
		c.Fatal(err)
	}
	other.follow(c)
	a, err := c.fsm.StateSum(c.Context(), index)
	if err != nil {
		c.Fatal(err)
	}
	b, err := other.fsm.StateSum(c.Context(), index)
	if err != nil {
		c.Fatal(err)
	}
	if diff := cmp.Diff(c.fsm.NextCheck(), other.fsm.NextCheck()); diff != "" {
		c.Errorf("the next check begins elsewhere:\n%s", diff)
	}
	return a.Differing(b)
}

// filled is a cluster with rows in every table but that of a restore's parts.
func filled(t *testing.T) *cluster {
	c := newCluster(t)
	node := c.register("node")
	seq := c.submit()
	a := c.claimOne(node)
	c.mustResult(node, a, ffrtmp.ResultPublishing)
	r := func(r *ffrtmp.Result) { r.Logs, r.Media = "log", &ffrtmp.Media{} }
	c.mustResult(node, a, ffrtmp.ResultCompleted, r)
	ctx := WithActor(t.Context(), Actor{Principal: "p"})
	if _, err := c.Set(ctx, Setting{Action: "set", Key: "k", Value: "v"}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := c.CreateKey(ctx, Idempotency{Principal: "p", Key: "k1"}, ffrtmp.NewKey{
		Name: "ci", Scopes: []ffrtmp.Scope{ffrtmp.ScopeRead},
	}); err != nil {
		t.Fatal(err)
	}
	c.submit()
	c.mustAct(ffrtmp.Cancel, seq+1)
	return c
}

// A change of one row of one table, on one of two masters, is found and named: whatever the table. States that
// have applied the same entries have the same sums, also after a restart, a snapshot and a vacuum.
func TestCheck_EachTable(t *testing.T) {
	c := filled(t)
	other := c.twin()
	for _, live := range []*cluster{c, other} {
		live.edit(`INSERT INTO imported VALUES ('x', 1)`)
		live.edit(`INSERT INTO restore_chunk VALUES (1, x'01', 1, x'02')`)
	}
	if got := c.sums(other, nil); len(got) != 0 {
		t.Fatalf("got tables %q of equal states, want none", got)
	}
	changes := map[string]string{
		"job_spec":        `UPDATE job_spec SET scenario = scenario || 'x' WHERE seq = 1`,
		"job_state":       `UPDATE job_state SET progress = progress + 1 WHERE seq = 2`,
		"job_attempt":     `UPDATE job_attempt SET ended_at = ended_at + 1`,
		"job_log":         `UPDATE job_log SET log = log || 'x'`,
		"job_media":       `UPDATE job_media SET media = media || ' '`,
		"node":            `UPDATE node SET failures = failures + 1`,
		"idempotency":     `UPDATE idempotency SET count = count + 1`,
		"api_key":         `UPDATE api_key SET revoked_at = 1`,
		"cluster_setting": `UPDATE cluster_setting SET value = value || 'x'`,
		"audit":           `UPDATE audit SET detail = detail || 'x'`,
		"event":           `UPDATE event SET time = time + 1 WHERE idx = (SELECT max(idx) FROM event)`,
		"event_floor":     `UPDATE event_floor SET n = n + 1`,
		"imported":        `UPDATE imported SET seq = seq + 1`,
		"restore_chunk":   `UPDATE restore_chunk SET time = time + 1`,
	}
	for table, change := range changes {
		other.edit(change)
		if got := c.sums(other, nil); !slices.Equal(got, []string{table}) {
			t.Errorf("%s: got tables %q that differ, want %s", change, got, table)
		}
		c.edit(change) // the same on both: equal again
		if got := c.sums(other, nil); len(got) != 0 {
			t.Errorf("got tables %q of equal states, want none", got)
		}
	}
	var all []string
	if err := other.fsm.ReadTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT group_concat(name) FROM
			(SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name)`).Scan(&change{&all})
	}); err != nil {
		t.Fatal(err)
	}
	for _, table := range all {
		if _, tested := changes[table]; !tested && table != "meta" {
			t.Errorf("the table %s is not checked", table)
		}
	}
}

// change scans a list of names.
type change struct{ list *[]string }

func (c *change) Scan(v any) error {
	for _, name := range bytes.Split([]byte(fmt.Sprint(v)), []byte(",")) {
		*c.list = append(*c.list, string(name))
	}
	return nil
}

// One check reads a bounded part of a table; the next ones read the rest, and then it begins again.
func TestCheck_Rotates(t *testing.T) {
	c := newCluster(t)
	other := c.twin()
	const rows = 5000
	insert := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
	INSERT INTO imported SELECT printf('%%06d', i), i FROM n`, rows)
	c.edit(insert)
	other.edit(insert)
	other.edit(`UPDATE imported SET seq = 0 WHERE id = '002500'`)
	found := 0
	from := store.Cursors(nil)
	for i := range 6 { // two rounds
		if got := c.sums(other, from); len(got) > 0 {
			found++
		}
		from = c.fsm.NextCheck()
		if last := i%3 == 2; (from["imported"] == nil) != last {
			t.Errorf("after check %d: got cursor %q, want one %v", i+1, from["imported"], !last)
		}
	}
	if found != 2 {
		t.Errorf("got the row found %d times in two rounds, want 2", found)
	}
}

// A state that is out of service is rebuilt from another while entries are applied: then it has all of them, the old
// one is set aside, and it is in service.
func TestFSM_Rebuild(t *testing.T) {
	c := filled(t)
	other := c.twin()
	other.edit(`UPDATE job_spec SET scenario = 'wrong'`)
	if err := other.fsm.TakeOut(errors.New("it differs")); err != nil || other.fsm.Out() == nil {
		t.Fatalf("got %v, want it out of service", err)
	}
	aside := t.TempDir()
	write := func() { c.submit() }
	err := other.fsm.Rebuild(t.Context(), aside, func(ctx context.Context, index uint64) (io.ReadCloser, error) {
		write()
		var image bytes.Buffer
		if err := c.fsm.WriteState(ctx, index, &image); err != nil {
			return nil, err
		}
		write()
		other.follow(c) //nolint:contextcheck // what was written after the image, too
		return io.NopCloser(&image), nil
	})
	if err != nil || other.fsm.Out() != nil {
		t.Fatalf("got %v, out of service: %v, want it rebuilt", err, other.fsm.Out())
	}
	c.submit()
	other.follow(c)
	if got := c.sums(other, nil); len(got) != 0 {
		t.Errorf("got tables %q that differ, want none", got)
	}
	if got := other.claimOne(other.registerLike(c, "later")); got.Seq == 0 {
		t.Error("got no job for a node, want what waits to be in memory")
	}
	if list, err := filepath.Glob(filepath.Join(aside, "state-*.db")); err != nil || len(list) != 1 {
		t.Errorf("got %q (%v) set aside, want the old state", list, err)
	}
	other.reopen()
}

// registerLike registers a node with both clusters.
func (c *cluster) registerLike(other *cluster, name string) string {
	c.Helper()
	id := other.register(name)
	c.follow(other)
	return id
}

// A rebuild that fails leaves the state as it was, out of service; the next process does not trust it.
func TestFSM_RebuildFails(t *testing.T) {
	c := filled(t)
	if err := c.fsm.TakeOut(errors.New("it differs")); err != nil {
		t.Fatal(err)
	}
	for name, fetch := range map[string]func() (io.ReadCloser, error){
		"no leader": func() (io.ReadCloser, error) { return nil, os.ErrDeadlineExceeded },
		"damaged":   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(make([]byte, 5000))), nil },
	} {
		err := c.fsm.Rebuild(t.Context(), t.TempDir(), func(context.Context, uint64) (io.ReadCloser, error) {
			return fetch()
		})
		if err == nil || c.fsm.Out() == nil {
			t.Errorf("%s: got %v, out of service: %v, want an error", name, err, c.fsm.Out())
		}
	}
	c.submit()
	if err := c.fsm.WriteState(t.Context(), 1, io.Discard); err == nil {
		t.Error("got no error for a copy of a state that is out of service, want one")
	}
	if err := c.fsm.Close(); err != nil {
		t.Fatal(err)
	}
	c.fsm = c.open()
	if err := c.fsm.Verify(); err == nil {
		t.Error("got no error after a restart, want the state not to be trusted")
	}
	if err := c.fsm.Discard(); err != nil {
		t.Fatal(err)
	}
}

// Entries before and behind a check in one batch do not change its sum.
func TestCheck_InBatch(t *testing.T) {
	c := newCluster(t)
	c.submit()
	index, err := c.Check(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.submit()
	want, err := c.fsm.StateSum(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	other := openCluster(t, Options{})
	other.fsm.ApplyBatch(append([]*raft.Log{}, c.entries...))
	got, err := other.fsm.StateSum(t.Context(), index)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Tables, got.Tables); diff != "" {
		t.Errorf("-alone +batch:\n%s", diff)
	}
}
