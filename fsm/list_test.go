package fsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// Every filter, order and page size returns the matching jobs.
func TestJobs_Filters(t *testing.T) {
	c := newCluster(t)
	node := c.register("a", func(r *ffrtmp.Registration) { r.MaxConcurrentJobs = 100 })
	other := c.register("b")
	for i := range 24 {
		c.submit(func(s *ffrtmp.Spec) {
			s.Scenario = []string{"720p", "1080p"}[i%2]
			s.Queue = ffrtmp.Queues[i%3]
			s.Priority = ffrtmp.Priorities[i/3%3]
			s.Labels = map[string]string{"n": strconv.Itoa(i % 4), "even": fmt.Sprint(i%2 == 0)}
			s.Parameters = fmt.Appendf(nil,
				`{"input":"a_b%%\u00e9/%d","rtmp_url":"rtmp://u:%s@h/x","output_mode":"rtmp"}`, i, hush)
		})
		c.after(time.Minute)
	}
	for i, a := range c.claim(node, 12) {
		switch i % 4 {
		case 0:
			c.mustResult(node, a, ffrtmp.ResultCompleted)
		case 1:
			c.mustResult(node, a, ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no"))
		case 2:
			c.mustAct(ffrtmp.Pause, a.Seq)
		}
	}
	c.mustAct(ffrtmp.Cancel, c.submit())
	c.claimOne(other)
	var all []ffrtmp.Job
	for seq := range uint64(25) {
		all = append(all, c.job(seq+1))
	}
	filters := map[string]ffrtmp.Filter{
		"everything": {}, "scenario": {Scenario: "720p"}, "queue": {Queue: ffrtmp.Live},
		"priority": {Priority: ffrtmp.High},
		"node":     {NodeID: node}, "unknown node": {NodeID: numbered(99)}, "label": {Label: "n=3"},
		"label key":     {Label: "even"},
		"no such label": {Label: "odd"}, "all at once": {
			Status: ffrtmp.StatusIn(ffrtmp.Pending), Scenario: "1080p", Queue: ffrtmp.Batch,
			Label: "even=false",
		},
		"running on a node": {Status: ffrtmp.StatusIn(ffrtmp.Running), NodeID: other},
		"several statuses":  {Status: ffrtmp.StatusIn(ffrtmp.Paused, ffrtmp.Failed, ffrtmp.Pending)},
		"created after":     {CreatedAfter: epoch.Add(9 * time.Minute)},
		"created between": {
			CreatedAfter: epoch.Add(4 * time.Minute), CreatedBefore: epoch.Add(9*time.Minute + time.Millisecond),
			Priority: ffrtmp.Medium,
		},
		"text in an id":   {Text: "8-00000000000B"},
		"text in a label": {Text: "N=2"}, "text in a path": {Text: "a_B%é/1"},
		"no such text": {Text: "nowhere"}, "a secret": {Text: hush},
	}
	for _, s := range ffrtmp.Statuses {
		filters[string(s)] = ffrtmp.Filter{Status: ffrtmp.StatusIn(s)}
	}
	for name, filter := range filters {
		var want []uint64
		for _, j := range all {
			if matches(filter, j) {
				want = append(want, j.SequenceNumber)
			}
		}
		for _, sort := range ffrtmp.Sorts {
			for _, order := range []ffrtmp.Order{ffrtmp.Ascending, ffrtmp.Descending} {
				for _, limit := range []int{1, 5, 1000} {
					got := c.pages(filter, ffrtmp.Page{Limit: limit, Order: order, Sort: sort})
					if want := sorted(all, want, sort, order); !slices.Equal(got, want) {
						t.Errorf("%s, %s %s, pages of %d: got %v, want %v", name, sort, order, limit, got, want)
					}
				}
			}
		}
		got, err := c.fsm.Seqs(t.Context(), filter, 0, 100)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got numbers %v, want %v: %v", name, got, want, err)
		}
	}
}

// sorted returns the numbers in a list's order. all has all jobs by number.
func sorted(all []ffrtmp.Job, seqs []uint64, sort ffrtmp.Sort, order ffrtmp.Order) []uint64 {
	key := func(seq uint64) int {
		j := all[seq-1]
		switch sort {
		case ffrtmp.SortPriority:
			return -slices.Index(ffrtmp.Priorities, j.Priority)
		case ffrtmp.SortProgress:
			return j.Progress
		}
		return 0
	}
	seqs = slices.Clone(seqs)
	slices.SortFunc(seqs, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a, b))
	})
	if order == ffrtmp.Descending {
		slices.Reverse(seqs)
	}
	return seqs
}

func matches(f ffrtmp.Filter, j ffrtmp.Job) bool {
	for want, have := range map[string]string{
		string(f.Queue): string(j.Queue), string(f.Priority): string(j.Priority),
		f.Scenario: j.Scenario, f.NodeID: j.NodeID,
	} {
		if want != "" && want != have {
			return false
		}
	}
	if f.Status != "" && !slices.Contains(strings.Split(string(f.Status), ","), string(j.Status)) ||
		!f.CreatedAfter.IsZero() && j.CreatedAt.Before(f.CreatedAfter) ||
		!f.CreatedBefore.IsZero() && !j.CreatedAt.Before(f.CreatedBefore) {
		return false
	}
	searched := j.ID + fmt.Sprintf(" a_b%%é/%d", j.SequenceNumber-1)
	labelled := f.Label == ""
	for k, v := range j.Labels {
		labelled = labelled || f.Label == k || f.Label == k+"="+v
		searched += " " + k + "=" + v
	}
	return labelled && strings.Contains(strings.ToLower(searched), strings.ToLower(f.Text))
}

// pages reads all pages.
func (c *cluster) pages(filter ffrtmp.Filter, page ffrtmp.Page) []uint64 {
	c.Helper()
	var got []uint64
	for {
		list, err := c.fsm.Jobs(c.Context(), filter, page)
		if err != nil || list.Count != len(list.Jobs) || list.Count > page.Limit {
			c.Fatalf("%d of %d: %v", list.Count, page.Limit, err)
		}
		for _, j := range list.Jobs {
			got = append(got, j.SequenceNumber)
		}
		if list.NextCursor == "" {
			return got
		}
		if page.Cursor, err = strconv.ParseUint(list.NextCursor, 10, 64); err != nil {
			c.Fatal(err)
		}
	}
}

// A job is found by number or id only.
func TestJob_Reference(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	id := c.job(seq).ID
	for ref, found := range map[string]bool{
		"1": true, id: true, "2": false, "0": false, "-1": false, numbered(77): false, id[:8]: false, "1-" + id: false,
		"": false, "1\x20": false,
		"99999999999999999999": false, "01980000-0000-7000-8000-000000000099": false,
	} {
		_, err := c.fsm.Job(t.Context(), ref)
		if found && err != nil {
			t.Errorf("%q: got %v, want the job", ref, err)
		}
		if !found && ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			t.Errorf("%q: got %v, want not_found", ref, err)
		}
	}
}

// Each attempt has its own log.
func TestAttemptLog(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	for n := range 2 {
		c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.RuntimeError, "boom"),
			func(r *ffrtmp.Result) {
				r.Logs, r.LogOffset = fmt.Sprint("log ", n+1), int64(n)
			})
		c.after(time.Hour)
	}
	for n := range 2 {
		if log, offset, err := c.fsm.AttemptLog(t.Context(), seq, n+1); err != nil || log != fmt.Sprint("log ", n+1) ||
			offset != int64(n) {
			t.Errorf("attempt %d: got log %q from %d, %v, want its own", n+1, log, offset, err)
		}
	}
	if log, _, err := c.fsm.AttemptLog(t.Context(), seq, 3); err != nil || log != "" {
		t.Errorf("unknown attempt: got %q, %v, want no log", log, err)
	}
	if got := c.job(seq).Logs; got != "log 2" {
		t.Errorf("got log %q, want that of the last attempt", got)
	}
}

// Running has the leases that a new leader needs.
func TestRunning(t *testing.T) {
	c := newCluster(t)
	for range 4 {
		c.submit()
	}
	node := c.register("a")
	claims := c.claim(node, 4)
	c.mustResult(node, claims[0], ffrtmp.ResultPublishing)
	c.expire(claims[1])
	c.mustAct(ffrtmp.Pause, claims[2].Seq)
	c.mustAct(ffrtmp.Cancel, claims[3].Seq)
	list := c.fsm.Running()
	if len(list) != 3 || !slices.Equal(list, c.fsm.NodeAttempts(node)) {
		t.Fatalf("got %+v, want the 3 attempts of the node", list)
	}
	for i, r := range list {
		if r.JobID != claims[i].JobID || r.Lease != claims[i].Lease || r.NodeID != node || r.Sealed != (i == 0) ||
			r.Lost != (i == 1) {
			t.Errorf("got %+v, want the claimed attempt", r)
		}
	}
	if list[2].Status != ffrtmp.Paused {
		t.Errorf("got %+v, want a paused job", list[2])
	}
	jobs, err := c.fsm.Claims(claims[:1])
	if err != nil || len(jobs) != 1 || jobs[0].Lease != claims[0].Lease {
		t.Fatalf("got %+v, %v, want the first claim", jobs, err)
	}
}

// Counts of terminal jobs are cumulative.
func TestCounts_Terminal(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a", func(r *ffrtmp.Registration) { r.HasGPU = true })
	c.mustResult(node, c.claimOne(node), ffrtmp.ResultFailed, failing(ffrtmp.UserError, "no"))
	c.mustAct(ffrtmp.Retry, seq)
	c.reopen()
	n := c.fsm.Counts()
	if n.Submitted != 1 || n.Jobs[ffrtmp.Failed] != 1 || n.Jobs[ffrtmp.Pending] != 1 ||
		n.Nodes[ffrtmp.NodeAvailable] != 1 || n.CPUThreads != 8 || n.GPUNodes != 1 {
		t.Fatalf("got counts %+v, want one failed and one pending job", n)
	}
}

// A patched job changes its position in the queue.
func TestPatch_Requeues(t *testing.T) {
	c := newCluster(t)
	c.submit()
	second := c.submit()
	queue, retries := ffrtmp.Live, 7
	if _, _, err := c.Patch(t.Context(), Idempotency{}, second, ffrtmp.Patch{
		Queue: &queue, MaxRetries: &retries,
		Labels: map[string]string{"a": "b"},
	}); err != nil {
		t.Fatal(err)
	}
	if j := c.job(second); j.Queue != ffrtmp.Live || j.MaxRetries != 7 || j.Labels["a"] != "b" {
		t.Fatalf("got %+v, want the patched job", j)
	}
	node := c.register("a")
	if got := c.claimOne(node); got.Seq != second {
		t.Fatalf("got job %d, want the patched one first", got.Seq)
	}
	_, _, err := c.Patch(t.Context(), Idempotency{}, second, ffrtmp.Patch{Queue: &queue})
	wantCode(t, err, ffrtmp.Conflict)
}

// Progress of a stale attempt is ignored.
func TestProgress_CurrentAttempt(t *testing.T) {
	c := newCluster(t)
	seq := c.submit()
	node := c.register("a")
	a := c.claimOne(node)
	c.after(time.Minute)
	report := Report{
		store.AttemptID{Seq: seq, Attempt: a.Attempt},
		40, &ffrtmp.Progress{Phase: "encoding", FPS: 29.97},
		c.now,
	}
	stale := Report{store.AttemptID{Seq: seq, Attempt: a.Attempt + 1}, 90, nil, c.now}
	if _, done, err := c.Progress(t.Context(), []Report{report, stale}, nil); err != nil || done.Count != 1 {
		t.Fatalf("got %+v, %v, want one report counted", done, err)
	}
	if j := c.job(seq); j.Progress != 40 || j.ProgressDetail == nil || j.ProgressDetail.FPS != 29.97 ||
		!j.LastActivityAt.Equal(c.now) {
		t.Fatalf("got %+v, want 40%% and the details", j)
	}
}

func TestWaitIndex(t *testing.T) {
	c := newCluster(t)
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- c.fsm.WaitIndex(ctx, 2) }()
	c.submit()
	select {
	case err := <-waited:
		t.Fatalf("got %v at index 1, want to wait for 2", err)
	default:
	}
	c.submit()
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
	go func() { waited <- c.fsm.WaitIndex(ctx, 3) }()
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// It wakes on everything that may make a job claimable, and on nothing else.
func TestReadyChanged(t *testing.T) {
	c := newCluster(t)
	node := c.register("a")
	var a store.Attempt
	for _, step := range []struct {
		name string
		do   func()
		wake bool
	}{
		{"submit", func() { c.submit() }, true},
		{"claim", func() { a = c.claimOne(node) }, false},
		{"progress", func() {
			report := Report{AttemptID: store.AttemptID{Seq: a.Seq, Attempt: 1}, Percent: 1, At: c.now}
			check(t, errOf(c.Progress(t.Context(), []Report{report}, nil)))
		}, false},
		{"publish", func() { c.mustResult(node, a, ffrtmp.ResultPublishing) }, false},
		{"complete", func() { c.mustResult(node, a, ffrtmp.ResultCompleted) }, true},
		{"cordon", func() {
			check(t, errOf(c.SetEligibility(t.Context(), Idempotency{}, node, ffrtmp.Cordoned, 0)))
		}, true},
	} {
		changed := c.fsm.ReadyChanged()
		step.do()
		select {
		case <-changed:
			if !step.wake {
				t.Errorf("%s: got a wake-up, want none", step.name)
			}
		default:
			if step.wake {
				t.Errorf("%s: got no wake-up, want one", step.name)
			}
		}
	}
}
