package ui_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/master"
)

// What a page costs the server among FFRTMP_BENCH_JOBS waiting jobs (20,000 by default).
func BenchmarkConsole(b *testing.B) {
	jobs, err := strconv.Atoi(cmp.Or(os.Getenv("FFRTMP_BENCH_JOBS"), "20000"))
	if err != nil {
		b.Fatal(err)
	}
	m := mastertest.Start(b, func(c *master.Config) { c.APIKey = apiKey })
	fillQueue(b, m, jobs)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	answer, err := browser.PostForm(m.URL()+"/ui/login", url.Values{"key": {apiKey}})
	if err != nil {
		b.Fatal(err)
	}
	_ = answer.Body.Close()
	for _, path := range []string{
		"/ui/", "/ui/jobs", "/ui/jobs?sort=priority", "/ui/jobs?sort=progress&order=asc",
		"/ui/jobs?status=failed&status=canceled&queue=live", "/ui/jobs?label=title%3Dfilm-77",
		"/ui/jobs?q=film-77", "/ui/jobs?q=nothing", "/ui/jobs/1",
	} {
		b.Run(path, func(b *testing.B) {
			least := time.Hour
			for b.Loop() {
				start := cpuTime(b)
				load(b, browser, m.URL()+path)
				least = min(least, cpuTime(b)-start)
			}
			b.ReportMetric(1000*least.Seconds(), "least-cpu-ms/op")
		})
	}
}

// fillQueue submits jobs.
func fillQueue(b *testing.B, m *mastertest.Master, jobs int) {
	b.Helper()
	for done := 0; done < jobs; {
		batch := make([]ffrtmp.Spec, min(jobs-done, ffrtmp.MaxBatch))
		for i := range batch {
			batch[i] = ffrtmp.Spec{
				Scenario: "720p30-h264", Labels: map[string]string{"title": fmt.Sprintf("film-%d", done+i)},
			}
		}
		if _, err := m.Client.SubmitBatch(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		done += len(batch)
	}
}

// cpuTime is the CPU time of this process so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load loads a page.
func load(b *testing.B, browser *http.Client, address string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	answer, err := browser.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("%s: got %d, %v", address, answer.StatusCode, err)
	}
}
