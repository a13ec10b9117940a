package ui

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/ffrtmp/ffrtmp"
)

// queryPage is a query and its result.
type queryPage struct {
	SQL    string
	Error  string
	Result *ffrtmp.QueryResult
	Chart  string // the result as JSON, if it can be drawn
}

// examples are queries to begin with.
var examples = []struct{ Title, SQL string }{
	{"Latest jobs", "SELECT * FROM jobs ORDER BY sequence_number DESC LIMIT 20"},
	{"Jobs by status", "SELECT status, count(*) AS jobs FROM jobs GROUP BY status ORDER BY jobs DESC"},
	{"Failures by reason", "SELECT failure_reason, count(*) AS jobs FROM jobs WHERE status = 'failed' " +
		"GROUP BY 1 ORDER BY 2 DESC"},
	{"Attempts by node", "SELECT n.name, a.outcome, count(*) AS attempts FROM attempts a " +
		"JOIN nodes n ON n.id = a.node_id GROUP BY 1, 2"},
}

// Examples are queries to begin with.
func (queryPage) Examples() any { return examples }

func queryForm(v *visit) error {
	v.render(http.StatusOK, "query", "Query", queryPage{SQL: v.URL.Query().Get("sql")})
	return nil
}

// runQuery is a form rather than a link: SQL stays out of logs and histories.
func runQuery(v *visit) error {
	p := queryPage{SQL: v.PostFormValue("sql")}
	var result ffrtmp.QueryResult
	query := url.Values{}
	if v.stale {
		query.Set("stale", "true")
	}
	if err := v.send(http.MethodPost, "/query", query, ffrtmp.QueryRequest{SQL: p.SQL}, &result); err != nil {
		p.Error = sentence(err)
		v.render(http.StatusUnprocessableEntity, "query", "Query", p)
		return nil
	}
	p.Result, p.Chart = &result, chartOf(&result)
	v.render(http.StatusOK, "query", "Query", p)
	return nil
}

// maxPoints bounds a chart.
const maxPoints = 300

// chartOf is the data of a chart: names in the first column and numbers in the others, or only numbers.
func chartOf(r *ffrtmp.QueryResult) string {
	if len(r.Rows) < 2 || len(r.Rows) > maxPoints || len(r.Columns) < 2 {
		return ""
	}
	for _, row := range r.Rows {
		for _, value := range row[1:] {
			if _, ok := value.(float64); !ok {
				return ""
			}
		}
	}
	data, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return string(data)
}

// Activity shows events as they come, beginning a little before now.
const activityEntries = 300

// activityPage is what the page of events begins with. The browser adds events, and keeps the filter in the address.
type activityPage struct {
	Types  []ffrtmp.EventType
	Kind   ffrtmp.EventType // of the filter
	Filter string
	Nodes  string // names by id, as JSON
}

func activity(v *visit) error {
	var list ffrtmp.List
	if err := v.get("/jobs", map[string][]string{"limit": {"1"}}, &list); err != nil {
		return err
	}
	v.index = max(1, v.index-min(v.index, activityEntries))
	var nodes ffrtmp.NodeList
	if err := v.get("/nodes", nil, &nodes); err != nil {
		return err
	}
	names := map[string]string{}
	for i := range nodes.Nodes {
		names[nodes.Nodes[i].ID] = nodes.Nodes[i].Name
	}
	data, err := json.Marshal(names)
	if err != nil {
		return err
	}
	q := v.URL.Query()
	v.render(http.StatusOK, "activity", "Activity",
		activityPage{ffrtmp.EventTypes, ffrtmp.EventType(q.Get("type")), q.Get("q"), string(data)})
	return nil
}
