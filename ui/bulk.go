package ui

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/ffrtmp/ffrtmp"
)

// bulkFields are the fields of a filter of a bulk request.
var bulkFields = []string{
	"status", "queue", "priority", "scenario", "node_id", "label", "created_after", "created_before", "q",
}

// bulkPage asks before many jobs are changed.
type bulkPage struct {
	Verb   ffrtmp.Action
	Filter map[string]string
	Count  int
	Nonce  string
	From   string // address of the list
}

// changeJobs counts the jobs that a bulk request would change and asks; confirmed, it changes them.
func changeJobs(v *visit) error {
	p := bulkPage{Verb: ffrtmp.Action(v.PostFormValue("verb")), Filter: map[string]string{}, Nonce: rand.Text()}
	if _, ok := past[p.Verb]; !ok {
		return ffrtmp.FieldErrorf("verb", "unknown value %q", p.Verb)
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
	body := map[string]any{"filter": p.Filter}
	if err := v.send(http.MethodPost, "/jobs/"+string(p.Verb), query, body, &changed); err != nil {
		return err
	}
	if !confirmed {
		p.Count, p.From = changed.Count, localPath(v.PostFormValue("next"), "/ui/jobs")
		v.render(http.StatusOK, "bulk", title(p.Verb)+" jobs", p)
		return nil
	}
	v.notify(notice{Text: plural(changed.Count, "job") + " " + past[p.Verb] + "."})
	http.Redirect(v.w, v.Request, localPath(v.PostFormValue("from"), "/ui/jobs"), http.StatusSeeOther)
	return nil
}
