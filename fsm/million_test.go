package fsm

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/sqlitedsn"
)

// generated are the statements that fill a database with ?1 jobs, from a fixed seed: a pseudo-random number x for
// each of them. One job in ?2 is unfinished.
var generated = []string{
	`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO node SELECT i, printf('00000000-0000-4000-8000-%012x', i), 'node-' || i, 'node-' || i, 'server', 8,
	'', 0, '',
	NULL, 1 << 34, NULL, 4, '["libx264"]', NULL, '', 0, 0, 0, '', 0, 0, 0, 1, 1 FROM n`,
	`WITH RECURSIVE n(i, x) AS (SELECT 1, 4711
	UNION ALL SELECT i + 1, (x * 1103515245 + 12345) & 0x7fffffff FROM n WHERE i < ?1)
INSERT INTO job_spec SELECT i, printf('01980000-0000-7000-8000-%012x', i),
	CASE x >> 8 & 7 WHEN 0 THEN '720p' WHEN 1 THEN '4K60-h265' ELSE '1080p30-h264' END, 'auto', 'auto', '',
	printf('{"input":"/media/in/%08x.mov","output":"/media/out/%d.mp4","bitrate":"10M","preset":"medium"}', x, i), '',
	printf('{"batch":"%d","customer":"c%d","ticket":"t-%d"}', i / 1000, x >> 12 & 1023, i), 0,
	1700000000000000000 + i * 1000000000, NULL, NULL FROM n WHERE ?2 > 0`,
	`WITH RECURSIVE n(i, x) AS (SELECT 1, 4711
	UNION ALL SELECT i + 1, (x * 1103515245 + 12345) & 0x7fffffff FROM n WHERE i < ?1)
INSERT INTO job_state (seq, status, queue, priority, max_retries, attempt, node, started_at, completed_at, progress)
SELECT i, status, (x >> 5) % 3, (x >> 9) % 3, 3, status >= 3, CASE WHEN status >= 3 THEN 1 + (x >> 7) % 200 ELSE 0 END,
	created * (status >= 3), created * (status >= 3), CASE status WHEN 3 THEN 100 WHEN 2 THEN x % 100 ELSE 0 END
FROM (SELECT i, x, 1700000000000000000 + i * 1000000000 AS created, CASE WHEN (x >> 11) % ?2 = 0
	THEN CASE WHEN x >> 4 & 63 = 0 THEN 2 ELSE 0 END
	ELSE CASE x >> 10 & 63 WHEN 0 THEN 4 WHEN 1 THEN 5 ELSE 3 END END AS status FROM n)`,
	`INSERT INTO job_attempt SELECT seq, 1, node, CASE status WHEN 3 THEN 1 WHEN 4 THEN 2 ELSE 4 END, started_at,
	completed_at, NULL, NULL, NULL, NULL, NULL, NULL FROM job_state WHERE attempt > 0 AND ?1 > 0 AND ?2 > 0`,
	`UPDATE meta SET applied_index = 1, applied_term = 1, time = 1800000000000000000, next_seq = ?1 + 1,
	submitted = ?1 * (?2 > 0)`,
}

// generate returns a cluster with many jobs, of which one in unfinished has not ended.
func generate(t testing.TB, jobs, unfinished int) *cluster {
	t.Helper()
	c := newCluster(t)
	if err := c.fsm.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", sqlitedsn.File(c.fsm.files.Current(), "_pragma=synchronous(off)"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range generated {
		args := []any{jobs, unfinished}
		if !strings.Contains(text, "?1") {
			args = nil
		}
		if _, err := db.ExecContext(t.Context(), text, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Close(), c.fsm.files.Close(true)); err != nil {
		t.Fatal(err)
	}
	c.index, c.fsm = 1, c.open()
	<-c.fsm.state.columns.loaded
	return c
}

// manyJobs is the number of jobs of a benchmark: FFRTMP_BENCH_JOBS, or 20,000.
func manyJobs(t testing.TB) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("FFRTMP_BENCH_JOBS"), "20000"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// manyFilters are filters of each field and of each pair of fields, for jobs of generate.
func manyFilters(jobs int) map[string]ffrtmp.Filter {
	at := func(job int) time.Time { return time.Unix(1700000000+int64(job), 0) }
	single := map[string]ffrtmp.Filter{
		"": {}, "status=pending": {Status: ffrtmp.StatusIn(ffrtmp.Pending)},
		"status=failed":          {Status: ffrtmp.StatusIn(ffrtmp.Failed)},
		"status=paused,canceled": {Status: ffrtmp.StatusIn(ffrtmp.Paused, ffrtmp.Canceled)},
		"status=running":         {Status: ffrtmp.StatusIn(ffrtmp.Running)},
		"queue=live":             {Queue: ffrtmp.Live}, "priority=low": {Priority: ffrtmp.Low},
		"scenario=720p": {Scenario: "720p"}, "scenario=none": {Scenario: "none"},
		"node=7": {NodeID: "00000000-0000-4000-8000-000000000007"}, "node=none": {NodeID: numbered(1)},
		"label=batch=3": {Label: "batch=3"}, "label=customer=c77": {Label: "customer=c77"},
		"label=ticket=t-9": {Label: "ticket=t-9"},
		"label=none":       {Label: "none"}, "label=ticket": {Label: "ticket"},
		"created": {CreatedAfter: at(jobs / 3), CreatedBefore: at(jobs / 2)}, "created early": {CreatedBefore: at(50)},
	}
	pairs := map[string]ffrtmp.Filter{}
	for a, x := range single {
		for b, y := range single {
			if merged, ok := merge(x, y); ok && a <= b {
				pairs[strings.TrimPrefix(a+"&"+b, "&")] = merged
			}
		}
	}
	return pairs
}

// merge returns a filter with the fields of two, which must not both have the same.
func merge(a, b ffrtmp.Filter) (ffrtmp.Filter, bool) {
	x, y := reflect.ValueOf(&a).Elem(), reflect.ValueOf(b)
	for i := range x.NumField() {
		if !x.Field(i).IsZero() && !y.Field(i).IsZero() {
			return a, false
		}
		if !y.Field(i).IsZero() {
			x.Field(i).Set(y.Field(i))
		}
	}
	return a, true
}

// A page of any filter or pair of filters reads no row that it does not return.
func TestJobs_RowBudget(t *testing.T) {
	const jobs, limit = 20_000, 100
	c := generate(t, jobs, 3)
	for name, filter := range manyFilters(jobs) {
		for _, sort := range ffrtmp.Sorts {
			page := ffrtmp.Page{Limit: limit, Sort: sort, Order: ffrtmp.Descending}
			keys, err := c.fsm.candidates(t.Context(), &filter, page, limit+1)
			if err != nil {
				t.Fatal(err)
			}
			selected, err := c.fsm.selected(t.Context(), &filter, keys)
			if err != nil {
				t.Fatal(err)
			}
			// Few labels have the hash of another one.
			if got := len(keys) - len(selected); got > 3 {
				t.Errorf("%s sorted by %s: got %d of %d rows in vain, want at most 3", name, sort, got, len(keys))
			}
		}
	}
}

// A search that finds nothing returns short pages, whose cursors lead to the end of the list.
func TestJobs_ShortPages(t *testing.T) {
	c := generate(t, 20_000, 3)
	for _, tt := range []struct {
		text string
		want int
	}{{"nowhere", 0}, {"ticket=t-1234", 11}, {"/media/out/77.", 1}} {
		page := ffrtmp.Page{Limit: 100, Sort: ffrtmp.SortCreated, Order: ffrtmp.Descending}
		first, err := c.fsm.Jobs(t.Context(), ffrtmp.Filter{Text: tt.text}, page)
		if err != nil || first.NextCursor == "" {
			t.Errorf("%s: got the end of the list after one page, want a cursor: %v", tt.text, err)
		}
		if got := c.pages(ffrtmp.Filter{Text: tt.text}, page); len(got) != tt.want {
			t.Errorf("%s: got %v, want %d jobs", tt.text, got, tt.want)
		}
	}
}

// BenchmarkLists reads a page of 100 for every filter, pair of filters and sort, and reports the slowest: the shortest
// CPU time of several reads.
func BenchmarkLists(b *testing.B) {
	jobs := manyJobs(b)
	c := generate(b, jobs, 3)
	filters := manyFilters(jobs)
	for _, text := range []string{"nowhere", "t-77", "in/00"} {
		filters["q="+text] = ffrtmp.Filter{Text: text}
	}
	shortest := map[string]time.Duration{}
	for b.Loop() {
		for name, filter := range filters {
			for _, sort := range ffrtmp.Sorts {
				start := cpuTime(b)
				page := ffrtmp.Page{Limit: 100, Sort: sort, Order: ffrtmp.Descending}
				list, err := c.fsm.Jobs(b.Context(), filter, page)
				if err != nil {
					b.Fatal(err)
				}
				took := cpuTime(b) - start
				read := fmt.Sprintf("%s, by %s: %d jobs", name, sort, list.Count)
				if before, ok := shortest[read]; !ok || took < before {
					shortest[read] = took
				}
			}
		}
	}
	all := slices.SortedFunc(maps.Keys(shortest), func(x, y string) int {
		return cmp.Compare(shortest[y], shortest[x])
	})
	for _, read := range all[:8] {
		b.Logf("%.1f ms  %s", shortest[read].Seconds()*1000, read)
	}
	b.ReportMetric(shortest[all[len(all)/2]].Seconds()*1000, "cpu-ms/median")
	b.ReportMetric(shortest[all[0]].Seconds()*1000, "cpu-ms/slowest")
}

// BenchmarkQuery asks for the newest jobs in SQL and reports its CPU time.
func BenchmarkQuery(b *testing.B) {
	c := generate(b, manyJobs(b), 3)
	b.ResetTimer()
	start := cpuTime(b)
	for b.Loop() {
		r, err := c.fsm.Query(b.Context(), "select * from jobs order by sequence_number desc limit 10")
		if err != nil || r.Count != 10 {
			b.Fatal(r.Count, err)
		}
	}
	b.ReportMetric((cpuTime(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/op")
}
