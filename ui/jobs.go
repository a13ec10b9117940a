package ui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

const (
	pageLength = 50
	// maxRows bounds the rows that a page refreshes at once.
	maxRows = 60
)

// jobsPage is what the list of jobs shows.
type jobsPage struct {
	List     ffrtmp.List
	Statuses []choice
	Fields   map[string]string // of the filter, as they are in the address
	Filtered bool
	Filter   map[string]string // as the API takes it in a bulk request
	Nodes    []ffrtmp.Node
	Next     string // address of the next page, or ""
	First    string // address of the first page, on later ones
}

// choice is a checkbox.
type choice struct {
	Value   ffrtmp.Status
	Checked bool
}

// filterFields are the parameters of the list that the API takes as they are.
var filterFields = []string{"queue", "priority", "scenario", "node_id", "label", "q", "sort", "order"}

// jobsQuery translates the address of the page into a query of the API.
func jobsQuery(q url.Values) (url.Values, error) {
	out := url.Values{"limit": {strconv.Itoa(pageLength)}}
	for _, name := range append(filterFields, "cursor") {
		if value := strings.TrimSpace(q.Get(name)); value != "" {
			out.Set(name, value)
		}
	}
	if len(q["status"]) > 0 {
		out.Set("status", strings.Join(q["status"], ","))
	}
	for _, name := range []string{"created_after", "created_before"} {
		if text := q.Get(name); text != "" {
			t, err := parseTime(text)
			if err != nil {
				return nil, ffrtmp.FieldErrorf(name, "%q is not a time such as 2026-01-02T03:04", text)
			}
			out.Set(name, t.Format(time.RFC3339))
		}
	}
	return out, nil
}

// parseTime reads the value of a datetime-local field, which is UTC here, or a whole time.
func parseTime(text string) (t time.Time, err error) {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err = time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return t, err
}

func jobs(v *visit) error {
	q := v.URL.Query()
	query, err := jobsQuery(q)
	if err != nil {
		return err
	}
	if !query.Has("q") {
		query.Set("total", "true")
	}
	p := jobsPage{Fields: map[string]string{}}
	if err := v.get("/jobs", query, &p.List); err != nil {
		return err
	}
	var nodes ffrtmp.NodeList
	if err := v.get("/nodes", nil, &nodes); err != nil {
		return err
	}
	p.Nodes = nodes.Nodes
	chosen := strings.Split(query.Get("status"), ",")
	for _, s := range ffrtmp.Statuses {
		p.Statuses = append(p.Statuses, choice{s, slices.Contains(chosen, string(s))})
	}
	for _, name := range append(filterFields, "created_after", "created_before") {
		p.Fields[name] = q.Get(name)
		p.Filtered = p.Filtered || p.Fields[name] != "" && name != "sort" && name != "order"
	}
	p.Filtered = p.Filtered || query.Has("status")
	p.Filter = map[string]string{}
	for _, name := range bulkFields {
		if query.Has(name) {
			p.Filter[name] = query.Get(name)
		}
	}
	p.links(v.URL)
	v.render(http.StatusOK, "jobs", "Jobs", p)
	return nil
}

// links are the addresses of other pages of the list.
func (p *jobsPage) links(here *url.URL) {
	at := func(cursor string) string {
		q := here.Query()
		q.Del("cursor")
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		return (&url.URL{Path: here.Path, RawQuery: q.Encode()}).String()
	}
	if p.List.NextCursor != "" {
		p.Next = at(p.List.NextCursor)
	}
	if here.Query().Get("cursor") != "" {
		p.First = at("")
	}
}

// jobRows are the current rows of some jobs, from this master's own state: a page asks for them when events say that
// they have changed.
func jobRows(v *visit) error {
	ids := strings.Split(v.URL.Query().Get("ids"), ",")
	if len(ids) > maxRows {
		return ffrtmp.FieldErrorf("ids", "has more than %d entries", maxRows)
	}
	query := url.Values{"stale": {"true"}}
	if index := v.URL.Query().Get("index"); index != "" {
		query.Set("index", index)
	}
	rows := []ffrtmp.Job{}
	for _, id := range ids {
		var j ffrtmp.Job
		_, err := v.call(http.MethodGet, "/jobs/"+url.PathEscape(id), query, nil, &j)
		if ffrtmp.CodeOf(err) == ffrtmp.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		rows = append(rows, j)
	}
	v.renderPart("rows", rows)
	return nil
}
