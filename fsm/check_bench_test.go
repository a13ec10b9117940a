package fsm

import "testing"

// BenchmarkCheck measures a check of a state without jobs and of one with FFRTMP_BENCH_JOBS: its sum, and for how long
// it holds up the entries that follow.
func BenchmarkCheck(b *testing.B) {
	for name, jobs := range map[string]int{"none": 0, "jobs": manyJobs(b)} {
		b.Run(name, func(b *testing.B) {
			c := generate(b, jobs, 3)
			began, held := cpuTime(b), 0.0
			for b.Loop() {
				before := c.fsm.state.Executed()
				index, err := c.Check(b.Context(), c.fsm.NextCheck())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.fsm.StateSum(b.Context(), index); err != nil {
					b.Fatal(err)
				}
				held += float64(c.fsm.state.Executed() - before)
				c.entries = nil
			}
			b.ReportMetric((cpuTime(b)-began).Seconds()*1000/float64(b.N), "cpu-ms/check")
			b.ReportMetric(held/float64(b.N), "writer-statements/check")
		})
	}
}
