package ui

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// overviewPage is what the first page shows.
type overviewPage struct {
	Cluster   ffrtmp.ClusterStatus
	Nodes     []ffrtmp.Node
	Stats     ffrtmp.Stats
	Lists     map[ffrtmp.Status]*ffrtmp.List
	Attention []need
	Queues    []queueCounts
	Reasons   []reasonCount // why attempts failed, the most frequent first
	Charts    []chart
	Window    string
	Windows   []string
	Busy      int // attempts that run
	Slots     int
	Up        int // masters
	Online    int // nodes
	Running   int // jobs
	Waiting   int
	Failed    int
}

// queueCounts are the jobs of a queue that have not ended.
type queueCounts struct {
	Queue                    ffrtmp.Queue
	Pending, Running, Paused int
}

// reasonCount is how many attempts failed for a reason.
type reasonCount struct {
	Reason string
	Count  int
}

// overviewJobs is how many jobs of a state the overview shows.
const overviewJobs = "8"

// windows are the times that the overview can look back.
var windows = []string{"1h", "6h", "24h"}

func overview(v *visit) error {
	p := overviewPage{Window: v.URL.Query().Get("window"), Windows: windows, Lists: map[ffrtmp.Status]*ffrtmp.List{}}
	if !slices.Contains(windows, p.Window) {
		p.Window = windows[0]
	}
	var nodes ffrtmp.NodeList
	if err := cmp.Or(
		v.get("/cluster", nil, &p.Cluster),
		v.get("/nodes", nil, &nodes),
		v.get("/stats", url.Values{"window": {p.Window}}, &p.Stats)); err != nil {
		return err
	}
	p.Nodes = nodes.Nodes
	for status, sort := range map[ffrtmp.Status]ffrtmp.Sort{
		ffrtmp.Running: ffrtmp.SortCreated, ffrtmp.Pending: ffrtmp.SortPriority, ffrtmp.Failed: ffrtmp.SortCreated,
	} {
		q := url.Values{"status": {string(status)}, "sort": {string(sort)}, "limit": {overviewJobs}}
		p.Lists[status] = &ffrtmp.List{}
		if err := v.get("/jobs", q, p.Lists[status]); err != nil {
			return err
		}
	}
	p.sum()
	p.Charts = statsCharts(&p.Stats, p.Window)
	p.Attention = p.attention()
	v.render(http.StatusOK, "overview", "Overview", p)
	return nil
}

// List has the first jobs of a state.
func (p overviewPage) List(status ffrtmp.Status) ffrtmp.List { return *p.Lists[status] }

// sum counts what there is.
func (p *overviewPage) sum() {
	for i := range p.Cluster.Members {
		if p.Cluster.Members[i].State != ffrtmp.MemberDead {
			p.Up++
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		p.Busy += len(n.Running)
		p.Slots += n.MaxConcurrentJobs
		if n.Status != ffrtmp.NodeOffline {
			p.Online++
		}
	}
	for _, q := range ffrtmp.Queues {
		counts := queueCounts{
			q, p.Stats.Jobs[ffrtmp.Pending][q], p.Stats.Jobs[ffrtmp.Running][q], p.Stats.Jobs[ffrtmp.Paused][q],
		}
		p.Queues = append(p.Queues, counts)
		p.Running += counts.Running
		p.Waiting += counts.Pending
		p.Failed += p.Stats.Jobs[ffrtmp.Failed][q]
	}
	for _, reason := range slices.Sorted(maps.Keys(p.Stats.Failures)) {
		p.Reasons = append(p.Reasons, reasonCount{cmp.Or(string(reason), "unknown"), p.Stats.Failures[reason]})
	}
	slices.SortStableFunc(p.Reasons, func(a, b reasonCount) int { return cmp.Compare(b.Count, a.Count) })
}

// statsCharts draws what happened to jobs, and how long they waited and ran.
func statsCharts(s *ffrtmp.Stats, window string) []chart {
	ended := []series{
		{Label: "completed", Class: "completed"},
		{Label: "failed", Class: "failed"},
		{Label: "canceled", Class: "canceled"},
	}
	wait := []series{{Label: "median", Class: "blue"}, {Label: "90 %", Class: "amber"}}
	run := slices.Clone(wait)
	moments := make([]string, len(s.Buckets))
	for i := range s.Buckets {
		b := &s.Buckets[i]
		moments[i] = b.Time.UTC().Format("15:04") + " UTC"
		for j, n := range []int{b.Completed, b.Failed, b.Canceled} {
			ended[j].Values = append(ended[j].Values, float64(n))
		}
		for list, times := range map[*[]series]ffrtmp.Percentiles{&wait: b.Wait, &run: b.Run} {
			for j, t := range []float64{times.P50, times.P90} {
				if times.Count == 0 {
					t = math.NaN()
				}
				(*list)[j].Values = append((*list)[j].Values, t)
			}
		}
	}
	charts := []chart{
		barChart("Jobs that ended", moments, ended...),
		lineChart("Wait", moments, seconds, wait...),
		lineChart("Encoding time", moments, seconds, run...),
	}
	for i := range charts {
		charts[i].From, charts[i].To = window+" ago", "now"
	}
	return charts
}
