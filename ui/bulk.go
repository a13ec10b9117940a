package ui

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"

	"github.com/ffrtmp/ffrtmp"
)

// bulkFields are the fields of a filter of a bulk request.
var bulkFields = []string{
	"status", "queue", "priority", "scenario", "node_id", "label", "created_after", "created_before", "q",
}

// bulkPage asks before many jobs are changed.
type bulkPage struct {
	Verb   string // an action, or a priority
	Filter map[string]string
	Count  int
	Nonce  string
	From   string // address of the list
}

// Words say what will be done, and with how many jobs.
func (p bulkPage) Words() string {
	if slices.Contains(ffrtmp.Priorities, ffrtmp.Priority(p.Verb)) {
		return "Give " + plural(p.Count, "job") + " " + p.Verb + " priority"
	}
	return title(p.Verb) + " " + plural(p.Count, "job")
}

// bulkRequest is the path and body of the API's request for a verb, and what has been done then.
func bulkRequest(verb string) (path, done string, body map[string]any, err error) {
	if done, ok := past[ffrtmp.Action(verb)]; ok {
		return "/jobs/" + verb, done, map[string]any{}, nil
	}
	if slices.Contains(ffrtmp.Priorities, ffrtmp.Priority(verb)) {
		return "/jobs/priority", "now with " + verb + " priority", map[string]any{"priority": verb}, nil
	}
	return "", "", nil, ffrtmp.FieldErrorf("verb", "unknown value %q", verb)
}

// changeJobs counts the jobs that a bulk request would change and asks; confirmed, it changes them.
func changeJobs(v *visit) error {
	p := bulkPage{Verb: v.PostFormValue("verb"), Filter: map[string]string{}, Nonce: rand.Text()}
	path, done, body, err := bulkRequest(p.Verb)
	if err != nil {
		return err
	}
	for _, name := range bulkFields {
		if value := v.PostFormValue("f-" + name); value != "" {
			p.Filter[name] = value
		}
	}
	confirmed := v.PostFormValue("confirmed") == "true"
	query := url.Values{}
	if !confirmed {
		query.Set("dry_run", "true")
	}
	var changed ffrtmp.Changed
	body["filter"] = p.Filter
	if err := v.send(http.MethodPost, path, query, body, &changed); err != nil {
		return err
	}
	if !confirmed {
		p.Count, p.From = changed.Count, localPath(v.PostFormValue("next"), "/ui/jobs")
		v.render(http.StatusOK, "bulk", p.Words(), p)
		return nil
	}
	v.notify(notice{Text: plural(changed.Count, "job") + " " + done + "."})
	http.Redirect(v.w, v.Request, localPath(v.PostFormValue("from"), "/ui/jobs"), http.StatusSeeOther)
	return nil
}
