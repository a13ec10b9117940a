package fsm

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlrows"
	"github.com/ffrtmp/ffrtmp/internal/usersql"
)

const hush = "hush-hush-4711"

// newQueried has a job with secrets and a running attempt, and finished ones.
func newQueried(t *testing.T) *cluster {
	c := newCluster(t)
	node := c.register("a")
	c.submit(func(s *ffrtmp.Spec) {
		s.Scenario = "720p"
		s.Parameters = fmt.Appendf(nil,
			`{"output_mode":"rtmp","rtmp_url":"rtmp://user:%s@example.com/live","stream_key":%q}`, hush, hush)
		s.Labels = map[string]string{"a": "b"}
	})
	c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"))
	c.submit()
	c.submit(func(s *ffrtmp.Spec) { s.Priority = ffrtmp.High })
	c.claimOne(node)
	return c
}

// ask returns the result of a query as text, or the code and message of its error.
func (c *cluster) ask(sql string) string {
	c.Helper()
	r, err := c.fsm.Query(c.Context(), sql)
	if err != nil {
		return fmt.Sprintf("%s: %v", ffrtmp.CodeOf(err), err)
	}
	if r.Count != len(r.Rows) {
		c.Errorf("%s: got %d rows with count %d, want equal numbers", sql, len(r.Rows), r.Count)
	}
	return fmt.Sprint(r.Columns, r.Rows)
}

func TestQuery_Views(t *testing.T) {
	c := newQueried(t)
	j := c.job(1)
	for _, tt := range []struct{ sql, want string }{
		{
			"SELECT sequence_number, status, node_name FROM jobs ORDER BY sequence_number DESC",
			"[sequence_number status node_name] [[3 running a] [2 pending <nil>] [1 pending a]]",
		},
		{"SELECT count(*) FROM jobs", "[count(*)] [[3]]"},
		{
			"SELECT status, count(*) AS n FROM jobs GROUP BY status ORDER BY n DESC;",
			"[status n] [[pending 2] [running 1]]",
		},
		{"SELECT id FROM jobs WHERE sequence_number = 1 -- the first; one", "[id] [[" + j.ID + "]]"},
		{"SELECT sequence_number FROM jobs WHERE sequence_number = '1'", "[sequence_number] [[1]]"},
		{"select sequence_number from jobs where id = '" + j.ID + "' /* ; */ ;", "[sequence_number] [[1]]"},
		{
			"SELECT j.id = a.job_id, a.outcome, a.error, n.name FROM jobs j JOIN attempts a ON a.job_id = j.id " +
				"JOIN nodes n ON n.id = a.node_id ORDER BY a.attempt, j.sequence_number",
			"[j.id = a.job_id outcome error name] [[1 failed boom a] [1 running <nil> a]]",
		},
		{
			"SELECT sequence_number FROM jobs WHERE sequence_number > 1 ORDER BY sequence_number DESC LIMIT 1",
			"[sequence_number] [[3]]",
		},
		{
			"SELECT sequence_number FROM jobs WHERE sequence_number <= 2 ORDER BY sequence_number",
			"[sequence_number] [[1] [2]]",
		},
		{
			"SELECT sequence_number FROM jobs WHERE sequence_number < '3' AND sequence_number >= 2.0 ORDER BY 1 DESC",
			"[sequence_number] [[2]]",
		},
		{"SELECT a.sequence_number FROM attempts a ORDER BY a.sequence_number", "[sequence_number] [[1] [3]]"},
		{"SELECT status, running FROM nodes", "[status running] [[busy 1]]"},
		{"SELECT l.key, l.value FROM jobs, json_each(labels) l", "[key value] [[a b]]"},
		{"WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 4) " +
			"SELECT sum(x) AS a, max(x) AS a FROM n", "[a a] [[10 4]]"},
		{
			"VALUES (1, 2.5, 'x;(', x'00ff', NULL, 9e999)",
			"[column1 column2 column3 column4 column5 column6] [[1 2.5 x;( [0 255] <nil> +Inf]]",
		},
		{"SELECT 1 WHERE 0", "[1] []"},
	} {
		if got := c.ask(tt.sql); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
	r, err := c.fsm.Query(t.Context(),
		"WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) SELECT x FROM n")
	if err != nil || !r.Truncated || r.Count != usersql.MaxRows ||
		r.Rows[usersql.MaxRows-1][0] != int64(usersql.MaxRows) {
		t.Errorf("endless: got %d rows, truncated %v, %v, want %d, true", r.Count, r.Truncated, err, usersql.MaxRows)
	}
	r, err = c.fsm.Query(t.Context(),
		`WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n)
			SELECT hex(zeroblob(50000)) FROM n LIMIT 200`)
	if most := usersql.MaxRowBytes/100_000 + 1; err != nil || !r.Truncated || r.Count > most {
		t.Errorf("long rows: got %d rows, truncated %v, %v, want at most %d, true", r.Count, r.Truncated, err, most)
	}
}

// The views have all fields of the API except secrets and those of other views.
func TestQuery_Fields(t *testing.T) {
	c := newQueried(t)
	for view, fields := range map[string][]string{
		"jobs":     fieldsWithout(reflect.TypeFor[ffrtmp.Job](), "lease", "attempts", "Origin"),
		"nodes":    fieldsWithout(reflect.TypeFor[ffrtmp.Node](), "current_job_id"),
		"attempts": fieldsWithout(reflect.TypeFor[ffrtmp.Attempt]()),
	} {
		want := fmt.Sprint(fields, []string{})
		if got := c.ask("SELECT " + strings.Join(fields, ", ") + " FROM " + view + " WHERE 0"); got != want {
			t.Errorf("%s: got %s, want %s", view, got, want)
		}
	}
}

// fieldsWithout returns the JSON names of a struct's fields, except some.
func fieldsWithout(t reflect.Type, but ...string) (names []string) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case slices.Contains(but, cmp.Or(name, f.Name)):
		case f.Anonymous:
			names = append(names, fieldsWithout(f.Type)...)
		default:
			names = append(names, name)
		}
	}
	return names
}

// A result can hold the largest possible job.
func TestQuery_LargestJob(t *testing.T) {
	c := newCluster(t)
	labels := map[string]string{}
	for i := range 64 {
		labels[fmt.Sprintf("%063d", i)] = strings.Repeat("v", 255)
	}
	node := c.register("a", func(r *ffrtmp.Registration) { r.Labels = labels })
	c.submit(func(s *ffrtmp.Spec) {
		path := strings.Repeat("x", ffrtmp.MaxParametersBytes-100)
		s.Parameters = fmt.Appendf(nil, `{"output_mode":"rtmp","rtmp_url":"rtmp://example.com/%s"}`, path)
		s.Labels, s.Requires = labels, &ffrtmp.Requires{Labels: labels}
	})
	log := strings.Repeat("l", ffrtmp.MaxLogBytes)
	c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, func(r *ffrtmp.Result) {
		r.Logs, r.Error = log, strings.Repeat("e", 4096)
	})
	r, err := c.fsm.Query(t.Context(), "SELECT * FROM jobs")
	if err != nil || r.Count != 1 || !slices.Contains(r.Rows[0], any(log)) {
		t.Errorf("got %d rows with %v, %v, want one with the whole log", r.Count, r.Columns, err)
	}
}

// Queries cannot read what the views do not show.
func TestQuery_Secrets(t *testing.T) {
	c := newQueried(t)
	got := c.ask("SELECT parameters FROM jobs WHERE sequence_number = 1")
	if !strings.Contains(got, "example.com") || strings.Contains(got, hush) {
		t.Errorf("got parameters %s, want the URL without its key", got)
	}
	if got := c.ask("SELECT * FROM jobs j, nodes n, attempts a"); strings.Contains(got, hush) {
		t.Error("got a secret in the rows, want none")
	}
	for _, table := range []string{
		"job_spec", "main.job_spec", "temp.job_spec", "job_state", "'job_state'", `"job_spec"`, "[job_spec]",
		"`job_spec`",
		"idempotency", "meta", "event",
		"sqlite_stat1", "pragma_database_list", "'pragma_table_info'('jobs')", "[pragma_hard_heap_limit](1)",
		"temp.pragma_soft_heap_limit(1)", "ffrtmp_view", "ffrtmp_view(1, 'jobs')",
	} {
		got := c.ask("SELECT * FROM " + table)
		if !strings.HasPrefix(got, "invalid: sql: ") {
			t.Errorf("%s: got %s, want it refused", table, got)
		}
	}
	// The schema of the query's own database has nothing else.
	for _, sql := range []string{
		"SELECT sql FROM sqlite_schema", "SELECT hex(data) FROM sqlite_dbpage", "SELECT * FROM dbstat",
	} {
		got := c.ask(sql)
		for _, secret := range []string{hush, "job_spec", fmt.Sprintf("%X", "job_spec")} {
			if strings.Contains(got, secret) {
				t.Errorf("%s: got %s, want no %s", sql, got, secret)
			}
		}
	}
}

// Statements that write, attach or set something are rejected, alone and hidden.
func TestQuery_ReadOnly(t *testing.T) {
	c := newQueried(t)
	before := c.hash()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.db")
	for _, sql := range []string{
		"", " ", ";", "-- nothing", "/* nothing */",
		"DELETE FROM jobs", "UPDATE jobs SET status = 'completed'", "INSERT INTO jobs (id) VALUES ('x')",
		"REPLACE INTO nodes (id) VALUES (1)",
		"WITH x AS (SELECT 1) DELETE FROM jobs", "WITH x AS (SELECT 1) INSERT INTO nodes (id) SELECT * FROM x",
		"WITH x AS (SELECT 1) UPDATE jobs SET id = 1",
		"DROP TABLE jobs", "CREATE TABLE x (y)", "CREATE TEMP TABLE x (y)", "CREATE VIRTUAL TABLE x USING fts5(y)",
		"ALTER TABLE jobs RENAME TO x",
		"ATTACH '" + file + "' AS x", "DETACH main", "VACUUM", "VACUUM INTO '" + file + "'", "REINDEX", "ANALYZE",
		"BEGIN",
		"COMMIT", "SAVEPOINT x",
		"PRAGMA query_only = 0", "PRAGMA writable_schema = 1", "PRAGMA hard_heap_limit = 1",
		"EXPLAIN PRAGMA hard_heap_limit = 1", "EXPLAIN SELECT 1",
		"SELECT 1; ATTACH '" + file + "' AS x", "SELECT 1; PRAGMA hard_heap_limit = 1", "SELECT 1;;",
		"SELECT 1;\x00ATTACH '" + file + "' AS x",
		"SELECT $x(';); ATTACH '" + file + "' AS x; --')", "SELECT ?", "SELECT :a", "SELECT @a", "SELECT #1",
		"SELECT 1) LIMIT 1) SELECT 1; ATTACH '" + file + "' AS x; SELECT (1", "SELECT 1), x AS (SELECT (1",
		"SELECT 1 /*",
		"SELECT 'x", "SELECT [x",
		"SELECT load_extension('x')", "SELECT load_extension('x', 'y')", "SELECT writefile('" + file + "', 'x')",
		"SELECT readfile('/etc/passwd')", "SELECT edit('x')",
		"SELECT fts3_tokenizer('simple')", "SELECT * FROM fsdir('/')", "SELECT sqlite_rename_table(1,2,3,4,5,6,7)",
		"SELECT no_such FROM jobs", "SELECT FROM", "SELECT \xff",
		"SELECT 1 AS \ufeff, * FROM \ufeffpragma_hard_heap_limit(1)",
	} {
		if got := c.ask(sql); !strings.HasPrefix(got, "invalid: sql: ") {
			t.Errorf("%q: got %s, want it refused", sql, got)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("got files %v, %v, want none", files, err)
	}
	if c.hash() != before {
		t.Error("got another state, want it unchanged")
	}
	c.submit() // the writer is unharmed
	c.checkDerived()
}

// Queries are limited in time, memory and size.
func TestQuery_Limits(t *testing.T) {
	c := newQueried(t)
	endless := "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n) "
	some := strings.Replace(endless, "x + 1 FROM n", "x + 1 FROM n WHERE x < 50000", 1)
	bomb := "WITH a AS (SELECT 1 AS x)"
	for i := range 40 {
		bomb += fmt.Sprintf(", %c%d AS (SELECT 1 AS x FROM %s, %[3]s)", 'b', i, map[bool]string{
			true:  "a",
			false: fmt.Sprint("b", i-1),
		}[i == 0])
	}
	c.fsm.users = usersql.New(c.fsm, usersql.Limits{Time: time.Minute, Memory: 16 << 20})
	for name, sql := range map[string]string{
		"sorted":  endless + "SELECT randomblob(50000) FROM n ORDER BY 1",
		"grouped": endless + "SELECT printf('%50000d', x) AS y, count(*) FROM n GROUP BY y",
	} {
		if got, want := c.ask(sql), "too_large: query needs more than 16 MiB of memory"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	c.fsm.users = usersql.New(c.fsm, usersql.Limits{Time: 50 * time.Millisecond, Memory: 1 << 40})
	want := "too_large: the query takes longer than 50ms"
	if got := c.ask(endless + "SELECT count(*) FROM n"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	c.fsm.users = usersql.New(c.fsm, usersql.Limits{Time: time.Minute, Memory: 1 << 40})
	for name, sql := range map[string]string{
		"zeroblob": "SELECT zeroblob(1000000000)", "randomblob": "SELECT length(randomblob(1000000000))",
		"printf":       "SELECT printf('%1000000000d', 1)",
		"doubled":      "WITH RECURSIVE n(x) AS (VALUES ('x') UNION ALL SELECT x || x FROM n) SELECT length(x) FROM n",
		"group_concat": some + "SELECT group_concat(x) FROM n",
		"replace":      "SELECT replace(replace(printf('%10000d', 1), ' ', printf('%10000d', 1)), ' ', 'xxxx')",
		"json":         some + "SELECT json_group_array(x) FROM n",
		"written out":  bomb + " SELECT * FROM b39",
		"deep":         "SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"wide":         "SELECT 1" + strings.Repeat(",1", 1000),
		"long union":   "SELECT 1" + strings.Repeat(" UNION SELECT 1", 200),
		"many tables":  "SELECT 1 FROM jobs" + strings.Repeat(", jobs", 70),
	} {
		if got := c.ask(sql); !strings.HasPrefix(got, "invalid: sql: ") {
			t.Errorf("%s: got %.200s, want it refused", name, got)
		}
	}
	// Canceling the context ends a query, also after its first row.
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.fsm.Query(ctx, "SELECT 1 UNION ALL SELECT count(*) FROM ("+endless+"SELECT x FROM n)")
	if !strings.Contains(fmt.Sprint(err), context.DeadlineExceeded.Error()) {
		t.Errorf("got %v, want deadline exceeded", err)
	}
}

// The state reads jobs in the order of their numbers without sorting all of them.
func TestQuery_NewestFirst(t *testing.T) {
	c := newQueried(t)
	plan := ""
	err := c.fsm.ReadTx(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		query := "EXPLAIN QUERY PLAN SELECT * FROM jobs WHERE sequence_number < ? ORDER BY sequence_number DESC"
		rows, err := tx.QueryContext(ctx, query, 100) //nolint:rowserrcheck // sqlrows.Each checks it
		return sqlrows.Each(rows, err, func(rows *sql.Rows) error {
			var id, parent, unused int
			var step string
			err := rows.Scan(&id, &parent, &unused, &step)
			plan += step + "\n"
			return err
		})
	})
	if err != nil || strings.Contains(plan, "TEMP B-TREE") || !strings.Contains(plan, "(rowid<?)") {
		t.Errorf("got %v, plan %s, want a search by number without sorting", err, plan)
	}
}
