package ui

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// How far back a node's load is drawn, in how many points, and from how many jobs at most.
const (
	loadWindow = 6 * time.Hour
	loadPoints = 72
	loadJobs   = 300
)

// load draws how many slots of a node were taken, as its latest jobs tell.
func (v *visit) load(n *ffrtmp.Node) (chart, error) {
	var list ffrtmp.List
	q := url.Values{"node_id": {n.ID}, "limit": {strconv.Itoa(loadJobs)}}
	if err := v.get("/jobs", q, &list); err != nil {
		return chart{}, err
	}
	now := time.Now()
	from := now.Add(-loadWindow)
	if list.NextCursor != "" { // earlier jobs are not in the list
		for i := range list.Jobs {
			if started := list.Jobs[i].StartedAt; i == 0 || started.Before(from) {
				from = started
			}
		}
		if oldest := now.Add(-loadWindow); from.Before(oldest) {
			from = oldest
		}
	}
	return loadChart(list.Jobs, from, now), nil
}

// loadChart draws how many of the jobs ran at a time.
func loadChart(jobs []ffrtmp.Job, from, to time.Time) chart {
	step := max(to.Sub(from)/loadPoints, time.Second)
	values, moments := make([]float64, loadPoints), make([]string, loadPoints)
	for i := range values {
		begin := from.Add(time.Duration(i) * step)
		end := begin.Add(step)
		moments[i] = begin.UTC().Format("15:04") + " UTC"
		for j := range jobs {
			values[i] += overlap(&jobs[j], begin, end, to).Seconds() / step.Seconds()
		}
	}
	c := lineChart("Slots taken", moments, number, series{Label: "now", Class: "blue", Values: values})
	c.From, c.To = span(to.Sub(from))+" ago", "now"
	return c
}

// overlap is how long a job's latest attempt ran between two times.
func overlap(j *ffrtmp.Job, begin, end, now time.Time) time.Duration {
	if j.StartedAt.IsZero() || j.Status == ffrtmp.Pending {
		return 0
	}
	ended := j.CompletedAt
	if ended.IsZero() {
		ended = now
	}
	if j.StartedAt.After(begin) {
		begin = j.StartedAt
	}
	if ended.Before(end) {
		end = ended
	}
	return max(0, end.Sub(begin))
}

// encoderSpeed is how fast an encoder of a node was in its latest jobs.
type encoderSpeed struct {
	Encoder string
	Words   string // "" if it is not known
}

// speeds lists the encoders of a node, with how fast they were in some jobs.
func (v *visit) speeds(n *ffrtmp.Node, jobs []ffrtmp.Job) ([]encoderSpeed, error) {
	measured := map[string][]float64{}
	for i := range jobs {
		j := &jobs[i]
		if j.Status != ffrtmp.Completed || j.Requires == nil || j.Requires.Encoder == "" {
			continue
		}
		var m ffrtmp.JobMedia
		_, err := v.call(http.MethodGet, "/jobs/"+j.ID+"/media", url.Values{"stale": {"true"}}, nil, &m)
		if err != nil && ffrtmp.CodeOf(err) != ffrtmp.NotFound {
			return nil, err
		}
		if m.Series != nil && len(m.Series.Speed) > 0 {
			measured[j.Requires.Encoder] = append(measured[j.Requires.Encoder], mean(m.Series.Speed))
		}
	}
	names := slices.Clone(n.Encoders)
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	list := make([]encoderSpeed, len(names))
	for i, name := range names {
		list[i].Encoder = name
		if got := measured[name]; len(got) > 0 {
			list[i].Words = fmt.Sprintf("%s× in %s", number(mean(got)), plural(len(got), "job"))
		}
	}
	return list, nil
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, f := range values {
		sum += f
	}
	return sum / float64(len(values))
}
