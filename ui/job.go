package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// jobPage is what the page of a job shows.
type jobPage struct {
	Job         ffrtmp.Job
	Explanation ffrtmp.Explanation
	Names       map[string]string // of nodes, by id
	Timeline    timeline
	Verbs       []ffrtmp.Action
	Attempt     int // whose log is shown
	Media       ffrtmp.JobMedia
	Charts      []chart // of how the encoding went
	Player      string  // video or audio; "": the output cannot be played here
	Download    bool    // this master has the output
}

func job(v *visit) error {
	p := jobPage{Names: map[string]string{}}
	var err error
	if p.Job, err = v.job(v.PathValue("id")); err != nil {
		return err
	}
	if err := v.get("/jobs/"+p.Job.ID+"/explain", nil, &p.Explanation); err != nil {
		return err
	}
	var nodes ffrtmp.NodeList
	if err := v.get("/nodes", nil, &nodes); err != nil {
		return err
	}
	for i := range nodes.Nodes {
		p.Names[nodes.Nodes[i].ID] = nodes.Nodes[i].Name
	}
	p.Timeline = timelineOf(&p.Job, p.Names, time.Now())
	p.Verbs = verbsOf(p.Job.Status)
	p.Attempt = p.Job.Attempt
	if n, err := strconv.Atoi(v.URL.Query().Get("attempt")); err == nil && n > 0 && n <= p.Job.Attempt {
		p.Attempt = n
	}
	if p.Attempt > 0 {
		path, query := "/jobs/"+p.Job.ID+"/media", url.Values{"attempt": {strconv.Itoa(p.Attempt)}}
		if err := v.get(path, query, &p.Media); err != nil {
			return err
		}
		p.Charts = seriesCharts(p.Media.Series)
	}
	p.Player, p.Download = v.outputOf(&p.Job)
	v.render(http.StatusOK, "job", "Job "+strconv.FormatUint(p.Job.SequenceNumber, 10), p)
	return nil
}

// job reads a job by its id or number.
func (v *visit) job(id string) (j ffrtmp.Job, err error) {
	err = v.get("/jobs/"+url.PathEscape(id), nil, &j)
	return j, err
}

// verbsOf lists what can be done with a job in a state.
func verbsOf(s ffrtmp.Status) []ffrtmp.Action {
	switch s {
	case ffrtmp.Pending, ffrtmp.Running:
		return []ffrtmp.Action{ffrtmp.Pause, ffrtmp.Cancel}
	case ffrtmp.Paused:
		return []ffrtmp.Action{ffrtmp.Resume, ffrtmp.Cancel}
	case ffrtmp.Failed, ffrtmp.Canceled:
		return []ffrtmp.Action{ffrtmp.Retry}
	}
	return nil
}

// NodeName is the name of a node, or the end of its id when it is gone.
func (p jobPage) NodeName(id string) string { return cmp.Or(p.Names[id], short(id)) }

// past is what has been asked for, by verb.
var past = map[ffrtmp.Action]string{
	ffrtmp.Cancel: "will be canceled", ffrtmp.Pause: "will be paused", ffrtmp.Resume: "will continue",
	ffrtmp.Retry: "will run again",
}

// Leased reports whether a node holds the job.
func (p jobPage) Leased() bool {
	return p.Job.NodeID != "" && (p.Job.Status == ffrtmp.Running || p.Job.Status == ffrtmp.Paused)
}

// setPriority changes the priority of a job that waits.
func setPriority(v *visit) error {
	priority := v.PostFormValue("priority")
	change := map[string]string{"priority": priority}
	if err := v.send(http.MethodPatch, "/jobs/"+url.PathEscape(v.PathValue("id")), nil, change, nil); err != nil {
		return err
	}
	v.back(notice{Text: "The job has " + priority + " priority."})
	return nil
}

func actOnJob(v *visit) error {
	id, verb := v.PathValue("id"), ffrtmp.Action(v.PathValue("verb"))
	text, ok := past[verb]
	if !ok {
		return ffrtmp.Errorf(ffrtmp.NotFound, "this page does not exist")
	}
	if err := v.send(http.MethodPost, "/jobs/"+url.PathEscape(id)+"/"+string(verb), nil, struct{}{}, nil); err != nil {
		return err
	}
	v.back(notice{Text: "The job " + text + "."})
	return nil
}

// jobLog is the log of an attempt, as text.
func jobLog(v *visit) error {
	query := url.Values{}
	for _, name := range []string{"attempt", "follow", "offset"} {
		if value := v.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	path := "/jobs/" + url.PathEscape(v.PathValue("id")) + "/logs"
	if query.Get("follow") == "true" {
		return v.stream(path, query)
	}
	var log struct {
		Logs string `json:"logs"`
	}
	if err := v.get(path, query, &log); err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="job-`+short(v.PathValue("id"))+`.log"`)
	_, _ = v.w.Write([]byte(log.Logs)) // an error means that the browser is gone
	return nil
}

// timeline is the life of a job as a bar, from its submission to its end or now.
type timeline struct {
	Bars  []bar
	Total time.Duration
}

// bar is a part of a timeline: waiting, or an attempt. X and Width are in thousandths.
type bar struct {
	X, Width int
	Class    string
	Title    string
}

const timelineWidth = 1000

func timelineOf(j *ffrtmp.Job, names map[string]string, now time.Time) timeline {
	end := now
	if !j.CompletedAt.IsZero() {
		end = j.CompletedAt
	}
	t := timeline{Total: max(end.Sub(j.CreatedAt), time.Millisecond)}
	at := func(when time.Time) int {
		return max(0, min(timelineWidth, int(timelineWidth*when.Sub(j.CreatedAt)/t.Total)))
	}
	add := func(from, to time.Time, class, title string) {
		if x := at(from); to.After(from) {
			t.Bars = append(t.Bars, bar{x, max(at(to)-x, 4), class, title + ", " + span(to.Sub(from))})
		}
	}
	waited := j.CreatedAt
	for i := range j.Attempts {
		a := &j.Attempts[i]
		ended := a.EndedAt
		if ended.IsZero() {
			ended = end
		}
		add(waited, a.StartedAt, "waiting", "waiting")
		add(a.StartedAt, ended, string(a.Outcome), "attempt "+strconv.Itoa(a.Attempt)+" on "+
			cmp.Or(names[a.NodeID], short(a.NodeID))+": "+words(a.Outcome))
		waited = ended
	}
	if !j.Status.Terminal() || len(j.Attempts) == 0 {
		if n := len(j.Attempts); n == 0 || !j.Attempts[n-1].EndedAt.IsZero() {
			add(waited, end, "waiting", "waiting")
		}
	}
	return t
}
