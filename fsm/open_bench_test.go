package fsm

import (
	"testing"
)

// BenchmarkOpen measures how long a state of FFRTMP_BENCH_JOBS unfinished jobs takes to open, and to check after its
// process was killed.
func BenchmarkOpen(b *testing.B) {
	path := generate(b, manyJobs(b), 1).fsm.state.Path()
	for _, part := range []string{"load", "check"} {
		b.Run(part, func(b *testing.B) {
			start := cpuTime(b)
			for b.Loop() {
				s, err := openState(path)
				if err == nil && part == "check" {
					err = s.Check()
				}
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((cpuTime(b)-start).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}
