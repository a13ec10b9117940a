package fsm

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// BenchmarkHistory claims and completes jobs and reads pages beside many finished jobs
// (FFRTMP_BENCH_HISTORY, default 20,000). Only the size of the file may differ from a
// state without any.
func BenchmarkHistory(b *testing.B) {
	history := 20_000
	if s := os.Getenv("FFRTMP_BENCH_HISTORY"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatal(err)
		}
		history = n
	}
	for _, jobs := range []int{0, history} {
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			c := newCluster(b)
			node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 1024 })
			const n = 512
			specs := make([]ffrtmp.Spec, n)
			for i := range specs {
				specs[i] = benchSpec(b)
			}
			var claiming, completing time.Duration
			next := 0
			round := func() {
				if _, _, err := c.Submit(b.Context(), Idempotency{}, specs); err != nil {
					b.Fatal(err)
				}
				commands := make([]command, n)
				for i := range commands {
					commands[i] = &claim{node: node, leases: []lease{{1}}}
				}
				claiming += c.timed(b, commands)
				for i := range commands {
					commands[i] = &result{
						seq: uint64(next + i + 1), node: node, attempt: 1, lease: lease{1},
						status: ffrtmp.ResultCompleted,
					}
				}
				completing += c.timed(b, commands)
				next += n
				c.entries = c.entries[len(c.entries):]
			}
			for next < jobs {
				round()
			}
			claiming, completing = 0, 0
			b.ResetTimer()
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(b.N*n)/claiming.Seconds(), "claims/s")
			b.ReportMetric(float64(b.N*n)/completing.Seconds(), "completes/s")
			for name, filter := range map[string]ffrtmp.Filter{
				"page": {}, "pending": {Status: ffrtmp.StatusIn(ffrtmp.Pending)},
				"failed": {Status: ffrtmp.StatusIn(ffrtmp.Failed)},
			} {
				start := time.Now()
				if _, err := c.fsm.Jobs(b.Context(), filter, ffrtmp.Page{
					Limit: 100, Sort: ffrtmp.SortCreated, Order: ffrtmp.Descending,
				}); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(start).Microseconds())/1000, name+"-ms")
			}
			start := time.Now()
			if old, err := c.fsm.OldJobs(b.Context(), epoch, 0, 200); err != nil || len(old) > 0 {
				b.Fatal(old, err)
			}
			b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "old-ms")
		})
	}
}
