package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// samples are valid bodies, by operation. A breach is put into one of them, at the first element of
// an array.
var samples = map[string]string{
	"submitJob":      sampleSpec,
	"submitBatch":    `{"jobs":[` + sampleSpec + `]}`,
	"cancelJobs":     `{"filter":{"status":"pending"}}`,
	"patchJob":       `{}`,
	"claimJobs":      `{"node_id":"` + nodeA + `"}`,
	"reportResult":   `{"job_id":"1","node_id":"` + nodeA + `","status":"failed","output":{}}`,
	"registerNode":   `{"address":"a","labels":{}}`,
	"createKey":      `{"name":"ci","scopes":["read"]}`,
	"import":         `{"jobs":[{}]}`,
	"pauseJobs":      `{"filter":{"status":"pending"}}`,
	"resumeJobs":     `{"filter":{"status":"pending"}}`,
	"retryJobs":      `{"filter":{"status":"pending"}}`,
	"prioritizeJobs": `{"filter":{"status":"pending"},"priority":"low"}`,
	"query":          `{"sql":"SELECT 1"}`,
	"heartbeat":      `{"attempts":[{"job_id":"1","attempt":1,"progress_detail":{}}]}`,
}

const sampleSpec = `{"scenario":"720p","parameters":{"output_mode":"rtmp","rtmp_url":"rtmp://h/a",` +
	`"resolution_width":1280,"resolution_height":720}}`

// companions are the other parameters that a query parameter requires.
var companions = map[string]string{"max_stale": "&stale", "wait": "&index=1"}

// known returns an operation's path with ids that exist.
func known(path string) string {
	if strings.HasPrefix(path, "/nodes/") {
		return strings.Replace(path, "{id}", nodeA, 1)
	}
	return strings.Replace(path, "{id}", "1", 1)
}

// refused makes a request and checks that it is refused with status and, unless empty, field.
func (m *master) refused(status int, method, path, body, field string, header ...string) {
	m.t.Helper()
	r := m.request(method, path, body, header...)
	what := fmt.Sprintf("%s %.100s %.100s", method, path, body)
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		m.t.Errorf("%s: got Content-Type %q, want application/json", what, got)
	}
	if r.StatusCode != status {
		m.t.Errorf("%s: got %d, want %d: %.200s", what, r.StatusCode, status, r.body)
		return
	}
	if method == http.MethodHead {
		return
	}
	var p problem
	r.decode(m.t, &p)
	// The field may be the map that contains the value.
	within := p.Field != "" && (strings.HasPrefix(field, p.Field+".") || strings.HasPrefix(field, p.Field+"["))
	if p.Status != status || p.Code == "" || p.Error == "" || field != "" && p.Field != field && !within {
		m.t.Errorf("%s: got status %d, field %q, want %d, %q: %.300s", what, p.Status, p.Field, status, field, r.body)
	}
}

// beat sends a heartbeat: a node that goes offline would change the state.
func (m *master) beat(node string) {
	m.t.Helper()
	m.want(200, "POST", "/nodes/"+node+"/heartbeat", "")
}

// unchanged checks that f does not change the state.
func (m *master) unchanged(f func()) {
	m.t.Helper()
	before := m.fsm.Index()
	f()
	if after := m.fsm.Index(); after != before {
		m.t.Errorf("got index %d after a refused request, want %d", after, before)
	}
}

// Every type, enumeration, bound and pattern of the document is exceeded in turn, in the body, the
// query and the headers of every operation.
func TestOpenAPI_Limits(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	tried := 0
	m.unchanged(func() {
		for pattern, operation := range operations(m.conformance.doc) {
			m.beat(nodeA)
			method, path, _ := strings.Cut(pattern, " ")
			path = known(path)
			sample := samples[operation.OperationID]
			if body := operation.RequestBody; body != nil && body.Value.Content["application/json"] != nil {
				for _, b := range breaches(body.Value.Content["application/json"].Schema.Value, "") {
					tried++
					m.refused(400, method, path, b.within(t, sample), b.path)
				}
			}
			query := "?"
			if operation.OperationID == "nextJob" {
				query = "?node_id=" + nodeA + "&"
			}
			for _, p := range operation.Parameters {
				switch name := p.Value.Name; p.Value.In {
				case openapi3.ParameterInQuery:
					for _, value := range textBreaches(p.Value.Schema.Value) {
						tried++
						m.refused(400, method, path+query+name+"="+url.QueryEscape(value)+companions[name], sample,
							name)
					}
					m.refused(400, method, path+"?"+name+"=1&"+name+"=1", sample, name)
				case openapi3.ParameterInHeader:
					for _, value := range append(textBreaches(p.Value.Schema.Value), strings.Repeat("k", 60_000),
						"k\u00e9y", "k\ty") {
						if !strings.ContainsAny(value, "\x00\n") && strings.TrimSpace(value) != "" {
							tried++
							m.refused(400, method, path, sample, name, name, value)
						}
					}
				}
			}
			for _, q := range []string{"%zz", "a;b", "a=%"} {
				m.refused(400, method, path+query+q, sample, "")
			}
		}
	})
	if tried < 500 {
		t.Errorf("got %d limits tested, want at least 500", tried)
	}
}

// breach is a value that violates the document.
type breach struct {
	path  string // of the field
	value string // JSON, or malformed
}

// within returns the sample with the breach in it.
func (b breach) within(t *testing.T, sample string) string {
	t.Helper()
	if b.path == "" {
		return b.value
	}
	var body any
	if sample != "" {
		if err := json.Unmarshal([]byte(sample), &body); err != nil {
			t.Fatal(err)
		}
	}
	data, err := json.Marshal(
		put(body, strings.Split(strings.ReplaceAll(b.path, "[0]", ".0"), "."), json.RawMessage(b.value)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// put returns v with a value at the end of a path; of an array the first element
// is kept.
func put(v any, steps []string, value json.RawMessage) any {
	switch {
	case len(steps) == 0:
		return value
	case steps[0] == "0":
		var first any
		if list, ok := v.([]any); ok && len(list) > 0 {
			first = list[0]
		}
		return []any{put(first, steps[1:], value)}
	}
	object := map[string]any{}
	if given, ok := v.(map[string]any); ok {
		object = maps.Clone(given)
	}
	object[steps[0]] = put(object[steps[0]], steps[1:], value)
	return object
}

// noObjects are bodies other than JSON objects.
var noObjects = []string{
	`{`,
	`{"a":`,
	`{"a":1,}`,
	`{a:1}`,
	`{'a':1}`,
	`{"a":NaN}`,
	`{"a":Infinity}`,
	`{"a":01}`,
	`{} x`,
	`{}{}`,
	`null`,
	" null ",
	`[]`,
	`[{}]`,
	`""`,
	`7`,
	`true`,
	"\x00",
	"{\"a\":\"\x00\"}",
	"{\"a\":\"\xff\"}",
	"\xef\xbb\xbf{}",
	"\xff\xfe{\x00}\x00",
	`a=b&c=d`,
	`<job/>`,
	"a: b",
	"{\"a\":\"\n\"}",
	`{"a":"\x"}`,
	strings.Repeat("[", 100_000),
	`{"a":` + strings.Repeat(`{"a":`, 20_000) + strings.Repeat("}", 20_001),
}

// breaches lists what a schema forbids at a path.
func breaches(s *openapi3.Schema, path string) (list []breach) {
	add := func(at string, values ...string) {
		for _, v := range values {
			list = append(list, breach{at, v})
		}
	}
	under := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	kinds := openapi3.Types(documentTypes(s))
	switch types := &kinds; {
	case path == "":
		add(path, noObjects...)
	case types.Is("object"):
		add(path, `[]`, `"x"`, `7`, `true`)
	case types.Is("array"):
		add(path, `{}`, `"x"`, `7`)
	case types.Is("boolean"):
		add(path, `"true"`, `1`, `{}`)
	case types.Includes("string") && types.Includes("number"): // a duration
		add(path, `true`, `{}`, `"soon"`, `"-5s"`, `1e30`, `1e400`)
		for _, seconds := range numberBreaches(s) {
			add(path, seconds, `"`+seconds+`s"`)
		}
	case types.Is("string"):
		add(path, `7`, `true`, `{}`, `[]`)
		for _, text := range textBreaches(s) {
			quoted, _ := json.Marshal(text)
			add(path, string(quoted))
		}
	default:
		add(path, `"7"`, `true`, `{}`, `1e400`)
		if types.Is("integer") {
			add(path, `1.5`, `99999999999999999999`)
		}
		add(path, numberBreaches(s)...)
	}
	for _, name := range s.Required {
		add(under(name), `null`) // same as absent
	}
	for name, property := range s.Properties {
		list = append(list, breaches(property.Value, under(name))...)
	}
	if more := s.AdditionalProperties; more.Schema != nil {
		list = append(list, breaches(more.Schema.Value, under("k"))...)
	} else if more.Has != nil && !*more.Has {
		add(under("nosuch"), `1`)
	}
	if s.MaxProps != nil {
		entries := map[string]string{}
		for i := range *s.MaxProps + 1 {
			entries[fmt.Sprint("k", i)] = "v"
		}
		data, _ := json.Marshal(entries)
		add(path, string(data))
	}
	if s.MinProps > 0 {
		add(path, `{}`)
	}
	if s.MinItems > 0 {
		add(path, `[]`)
	}
	if s.Items != nil && s.Items.Value.Type != nil {
		list = append(list, breaches(s.Items.Value, path+"[0]")...)
	}
	if s.MaxItems != nil {
		element := `{}`
		if s.Items.Value.Type.Is("string") {
			element = `"x"`
		}
		add(path, "["+strings.Repeat(element+",", int(*s.MaxItems))+element+"]")
	}
	return list
}

// numberBreaches lists numbers that a schema forbids.
func numberBreaches(s *openapi3.Schema) (list []string) {
	add := func(f float64) { list = append(list, strconv.FormatFloat(f, 'f', -1, 64)) }
	if s.Min != nil {
		add(*s.Min - 1)
	}
	if s.Max != nil {
		add(*s.Max + 1)
	}
	if bound := s.ExclusiveMin.Value; bound != nil {
		add(*bound)
	}
	if s.MultipleOf != nil {
		add(*s.Min + 1)
	}
	return list
}

// textBreaches lists strings that a schema forbids in a query, where every value is a string.
func textBreaches(s *openapi3.Schema) (list []string) {
	switch {
	case s.Type.Is("integer"):
		return append(numberBreaches(s), "", "x", "1.5", "1e3", "0x1", "99999999999999999999")
	case s.Type.Is("boolean"):
		return []string{"maybe", "2", "TRUE"}
	case s.Type.Is("array"):
		return textBreaches(s.Items.Value)
	case s.Enum != nil:
		return []string{"banana", strings.ToUpper(fmt.Sprint(s.Enum[1])), "\u0000"}
	case s.Format == "date-time":
		return []string{"yesterday", "", "2026-13-01T00:00:00Z"}
	}
	if s.MaxLength != nil {
		list = append(list, strings.Repeat("x", int(*s.MaxLength)+1))
	}
	if s.MinLength > 0 {
		list = append(list, "")
	}
	if s.Pattern != "" {
		form := regexp.MustCompile(s.Pattern)
		for _, text := range []string{"\u0000", "a\nb", " ", "-1", "-5s", "soon", "1x", "banana\u0000"} {
			if !form.MatchString(text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// Unknown jobs, nodes and paths, and methods that an endpoint does not have.
func TestRoutes_Unknown(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	id := m.submit(`{"scenario":"720p"}`).ID
	methods := map[string][]string{}
	m.unchanged(func() {
		for pattern, operation := range operations(m.conformance.doc) {
			m.beat(nodeA)
			method, path, _ := strings.Cut(pattern, " ")
			methods[path] = append(methods[path], method)
			if !strings.Contains(path, "{id}") {
				continue
			}
			for _, name := range []string{
				"0", "-1", "+1", "01", "1.0", "1e0", "0x1", "1%20", "%201", "%00", "1%00", "99999999999999999999", "x",
				"%ff", "%EF%BC%91", "..%2f1", "%2e%2e", "1%2fcancel",
				"1;", "1'--", strings.ToUpper(id), id[:35], id + "0", id + "%00", "*", "null",
				strings.Repeat("9", 5000), "01985f3a-0000-7000-8000-000000000000",
			} {
				m.refused(404, method, strings.Replace(path, "{id}", name, 1), samples[operation.OperationID], "")
			}
		}
		for path, has := range methods {
			m.beat(nodeA)
			if slices.Contains(has, "GET") && path != "/jobs/next" {
				has = append(has, "HEAD")
			}
			slices.Sort(has)
			for _, method := range []string{
				"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get",
				strings.Repeat("X", 3000),
			} {
				if path = known(path); slices.Contains(has, method) {
					continue
				}
				m.refused(405, method, path, "", "")
				allow := strings.Split(m.request(method, path, "").Header.Get("Allow"), ", ")
				if slices.Sort(allow); !slices.Equal(allow, has) {
					t.Errorf("got %s %s: Allow %q, want %q", method, path, allow, has)
				}
			}
		}
		for _, path := range []string{
			"/", "//", "/jobs/", "//jobs", "/jobs//", "/jobs//1", "/jobs/1/", "/./jobs", "/../jobs", "/jobs/../nodes",
			"/jobs/./1", "/jobs/1/..", "/jobs/.", "/jobs/..", "/JOBS", "/jobs.json",
			"/jobs/1/cancel/", "/jobs/1//cancel", "/%6aobs/1/x", "/jobs%2f1", "/jobs%00", "/nodes/" + nodeA + "/",
			"/health/", "/health/x", "/api/v1/jobs", "/api/v2/jobs/1", "/openapi.json", "/metrics", "/debug/pprof/",
			"/" + strings.Repeat("x/", 2000),
		} {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				m.refused(404, method, path, `{"scenario":"720p"}`, "")
			}
		}
	})
}

// HEAD is GET without a body, and does not wait for a stream.
func TestRoutes_Head(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	for _, path := range []string{"/jobs", "/jobs/1", "/jobs/1/logs?follow", "/cluster", "/health", "/openapi.yaml"} {
		if r := m.want(200, "HEAD", path, ""); len(r.body) != 0 || r.Header.Get("X-Ffrtmp-Index") == "" {
			t.Errorf("HEAD %s: got body %q, headers %v, want no body and an index", path, r.body, r.Header)
		}
	}
}
