package api

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// stats returns what a master answers.
func (m *master) stats(query string) (s ffrtmp.Stats) {
	m.t.Helper()
	m.want(200, "GET", "/stats"+query, "").decode(m.t, &s)
	return s
}

// Statistics count what happened to jobs, and every master has the same.
func TestStats(t *testing.T) {
	m, follower, _ := pair(t)
	m.register(nodeA)
	for range 4 {
		m.submit(`{"scenario":"720p"}`)
	}
	done := m.claim(nodeA)
	m.want(200, "POST", "/results", result(done, "publishing", ""))
	m.want(200, "POST", "/results", result(done, "completed", `,"output":{"path":"/a.mp4"}`))
	if s := m.stats("?window=1h"); s.Totals.Completed != 1 || s.Totals.Failed != 0 || !s.Complete {
		t.Errorf("got %+v, want one completed job", s.Totals)
	}
	m.want(200, "POST", "/results", result(m.claim(nodeA), "failed", `,"error":"no","failure_reason":"user_error"`))
	m.want(200, "POST", "/jobs/3/cancel", "")
	want := ffrtmp.StatsBucket{Submitted: 4, Started: 2, Completed: 1, Failed: 1, Canceled: 1}
	for _, master := range []*master{m, follower} {
		s := master.stats("?window=24h&stale=true")
		got := s.Totals
		if got.Wait.Count != 2 || got.Run.Count != 1 {
			t.Errorf("got %+v, want two times of waiting and one of running", got)
		}
		got.Time, got.Wait, got.Run = time.Time{}, ffrtmp.Percentiles{}, ffrtmp.Percentiles{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("totals (-want +got):\n%s", diff)
		}
		jobs := map[ffrtmp.Status]map[ffrtmp.Queue]int{}
		for _, status := range []ffrtmp.Status{ffrtmp.Pending, ffrtmp.Completed, ffrtmp.Failed, ffrtmp.Canceled} {
			jobs[status] = map[ffrtmp.Queue]int{ffrtmp.Default: 1}
		}
		if diff := cmp.Diff(jobs, s.Jobs); diff != "" {
			t.Errorf("jobs (-want +got):\n%s", diff)
		}
		if s.Failures[ffrtmp.UserError] != 1 || s.PerMinute["submitted"] <= 0 || s.StepSeconds != 24*60 ||
			len(s.Buckets) < 60 || !s.Buckets[len(s.Buckets)-1].Time.Add(24*time.Minute).Equal(s.To) {
			t.Errorf("got %+v, want 60 buckets of 24 minutes or one more", s)
		}
	}
	for _, bad := range []string{"1s", "25h", "x", "-1h"} {
		m.want(400, "GET", "/stats?window="+bad, "")
	}
}

// After events were removed that nobody had read, statistics continue with those that are kept.
func TestStats_Compacted(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	if s := m.stats(""); s.Totals.Submitted != 1 {
		t.Errorf("got %+v, want one submission", s.Totals)
	}
	m.submit(`{"scenario":"720p"}`)
	proposer := fsm.NewProposer(m.log, fsm.ProposerOptions{})
	if _, _, err := proposer.Prune(t.Context(), fsm.PruneRequest{Events: time.Now()}); err != nil {
		t.Fatal(err)
	}
	m.submit(`{"scenario":"720p"}`)
	if s := m.stats(""); s.Totals.Submitted != 1 || !s.Complete {
		t.Errorf("got %+v, want the submission whose event is kept", s.Totals)
	}
}

// Buckets add up minutes, and cover the window.
func TestStatistics_Window(t *testing.T) {
	k := &statistics{minutes: map[int64]*minute{}, waiting: map[uint64]time.Time{}, running: map[uint64]time.Time{}}
	now := time.Date(2026, 1, 2, 3, 4, 30, 0, time.UTC)
	none := func(uint64) (time.Time, bool) { return time.Time{}, false }
	for _, ago := range []time.Duration{0, time.Second, 59 * time.Minute, 3 * time.Hour} {
		k.add(&ffrtmp.Event{Type: ffrtmp.JobSubmitted, Time: now.Add(-ago)}, none)
	}
	for window, want := range map[time.Duration]struct{ submitted, buckets, step int }{
		time.Minute: {2, 2, 60}, time.Hour: {3, 61, 60}, 4 * time.Hour: {4, 61, 240}, 90 * time.Minute: {3, 46, 120},
	} {
		s := k.window(now, window)
		if s.Totals.Submitted != want.submitted || len(s.Buckets) != want.buckets || s.StepSeconds != want.step {
			t.Errorf("%s: got %d in %d buckets of %d s, want %+v", window, s.Totals.Submitted, len(s.Buckets),
				s.StepSeconds, want)
		}
	}
}

// Percentiles are at most a fifth too high, for all times that jobs take.
func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{60 * time.Millisecond, time.Second, 90 * time.Second, 26 * time.Hour} {
		var h, other histogram
		for range 99 {
			h.add(d)
		}
		other.add(100 * d)
		h.merge(&other)
		p := h.percentiles()
		for _, got := range []float64{p.P50, p.P90, p.P99} {
			if got < 0.999*d.Seconds() || got > 1.2*d.Seconds() {
				t.Errorf("got %+v, want %s", p, d)
			}
		}
		if p.Count != 100 {
			t.Errorf("got %d times, want 100", p.Count)
		}
	}
	var h histogram
	if p := h.percentiles(); p != (ffrtmp.Percentiles{}) {
		t.Errorf("got %+v of no times, want zeros", p)
	}
	h.add(-time.Second)
	h.add(math.MaxInt64)
	if p := h.percentiles(); p.P50 != firstBin || p.Count != 2 {
		t.Errorf("got %+v, want the first bin", p)
	}
}
