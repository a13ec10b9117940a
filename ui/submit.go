package ui

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// submitPage is the form of a new job.
type submitPage struct {
	Fields map[string]string
	Field  string // at fault, as the API names it
	Error  string
	Nonce  string // so that sending the form twice makes one job

	Catalogue ffrtmp.Catalogue
	Nodes     []ffrtmp.Node
}

// catalogue is what jobs may ask for.
var catalogue = ffrtmp.NewCatalogue()

// show answers with the form.
func (p submitPage) show(v *visit, status int) error {
	var nodes ffrtmp.NodeList
	if err := v.get("/nodes", nil, &nodes); err != nil {
		return err
	}
	p.Catalogue, p.Nodes = catalogue, nodes.Nodes
	v.render(status, "submit", "Submit a job", p)
	return nil
}

// mainFields are the parameters at the top of the form; the others of the catalogue follow.
var mainFields = []string{"input", "output", "duration", "codec", "preset", "bitrate", "resolution", "overwrite"}

func submitForm(v *visit) error {
	q := v.URL.Query()
	p := submitPage{Fields: map[string]string{}, Nonce: rand.Text()}
	for name := range q {
		p.Fields[name] = q.Get(name)
	}
	if id := q.Get("clone"); id != "" {
		if err := v.cloneInto(p.Fields, id); err != nil {
			return err
		}
	}
	return p.show(v, http.StatusOK)
}

// submitJob submits the form. What the API refuses is shown beside what was typed.
func submitJob(v *visit) error {
	p := submitPage{Fields: map[string]string{}, Nonce: v.PostFormValue("nonce")}
	for name := range v.PostForm {
		p.Fields[name] = v.PostFormValue(name)
	}
	spec, err := specOf(p.Fields)
	var made ffrtmp.Job
	if err == nil {
		err = v.send(http.MethodPost, "/jobs", nil, spec, &made)
	}
	if err == nil {
		v.notify(notice{Text: "Job " + strconv.FormatUint(made.SequenceNumber, 10) + " is submitted."})
		http.Redirect(v.w, v.Request, "/ui/jobs/"+made.ID, http.StatusSeeOther)
		return nil
	}
	var e *ffrtmp.Error
	if errors.As(err, &e) {
		p.Field = e.Field
	}
	if ffrtmp.CodeOf(err) == ffrtmp.Invalid || ffrtmp.CodeOf(err) == ffrtmp.Conflict {
		p.Nonce = rand.Text() // nothing was submitted
	}
	p.Error = sentence(err)
	return p.show(v, http.StatusUnprocessableEntity)
}

// specOf is the job that a form describes: the fields of its own over the parameters that were typed as JSON.
func specOf(fields map[string]string) (map[string]any, error) {
	parameters := map[string]any{}
	if text := strings.TrimSpace(fields["parameters"]); text != "" {
		if err := json.Unmarshal([]byte(text), &parameters); err != nil {
			return nil, ffrtmp.FieldErrorf("parameters", "is not a JSON object: %v", err)
		}
		if parameters == nil {
			return nil, ffrtmp.FieldErrorf("parameters", "is not a JSON object: it is null")
		}
	}
	for i := range catalogue.Parameters {
		p := &catalogue.Parameters[i]
		if text := strings.TrimSpace(fields[p.Name]); text != "" {
			parameters[p.Name] = typed(p, text)
		}
	}
	spec := map[string]any{"scenario": strings.TrimSpace(fields["scenario"])}
	if len(parameters) > 0 {
		spec["parameters"] = parameters
	}
	for _, name := range []string{"queue", "priority"} {
		if fields[name] != "" {
			spec[name] = fields[name]
		}
	}
	if text := strings.TrimSpace(fields["max_retries"]); text != "" {
		retries, err := strconv.Atoi(text)
		if err != nil {
			return nil, ffrtmp.FieldErrorf("max_retries", "%q is not a number", text)
		}
		spec["max_retries"] = retries
	}
	list, err := labelsOf(fields["labels"])
	if len(list) > 0 {
		spec["labels"] = list
	}
	return spec, err
}

// typed is a parameter's value as JSON has it. What is of another type, the API refuses.
func typed(p *ffrtmp.Parameter, text string) any {
	var value any
	if p.Type == "string" || json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	return value
}

// labelsOf reads labels, one key=value a line.
func labelsOf(text string) (map[string]string, error) {
	list := map[string]string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, ffrtmp.FieldErrorf("labels", "%q is not key=value", line)
		}
		list[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return list, nil
}

// cloneInto fills in the form with an earlier job's. Its output is left out: two jobs cannot write one file.
func (v *visit) cloneInto(fields map[string]string, id string) error {
	j, err := v.job(id)
	if err != nil {
		return err
	}
	fields["scenario"], fields["queue"], fields["priority"] = j.Scenario, string(j.Queue), string(j.Priority)
	fields["max_retries"], fields["labels"] = strconv.Itoa(j.MaxRetries), strings.Join(labels(j.Labels), "\n")
	parameters := map[string]any{}
	if len(j.Parameters) > 0 {
		if err := json.Unmarshal(j.Parameters, &parameters); err != nil {
			return err
		}
	}
	maps.DeleteFunc(parameters, func(name string, _ any) bool { return name == "output" || name == "stream_key" })
	for i := range catalogue.Parameters {
		name := catalogue.Parameters[i].Name
		if value, ok := parameters[name]; ok {
			fields[name] = typedText(value)
			delete(parameters, name)
		}
	}
	if len(parameters) > 0 {
		fields["parameters"] = typedText(parameters)
	}
	return nil
}

// typedText is a value of JSON as one types it.
func typedText(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	text, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(text)
}
