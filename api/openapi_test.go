package api

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// The document is served without a key.
func TestOpenAPI_Served(t *testing.T) {
	m := newMaster(t)
	r := m.want(200, "GET", "/openapi.yaml", "", "Authorization", "")
	if string(r.body) != string(openapiDocument) || r.Header.Get("Content-Type") != documentType {
		t.Errorf("got %s, %d bytes, want %s, %d bytes",
			r.Header.Get("Content-Type"), len(r.body), documentType, len(openapiDocument))
	}
}

// The document has every route.
func TestOpenAPI_Routes(t *testing.T) {
	doc := loadDocument(t)
	var routes []string
	for _, e := range new(Server).endpoints() {
		routes = append(routes, e.pattern)
		if operation := operations(doc)[e.pattern]; operation != nil {
			var want []string
			if e.agents {
				want = []string{string(ffrtmp.ScopeAgent)}
			}
			if !e.open {
				want = append([]string{string(e.scope)}, want...)
			}
			if diff := cmp.Diff(want, scopesOf(operation)); diff != "" {
				t.Errorf("scopes of %s (-code +document):\n%s", e.pattern, diff)
			}
			for _, p := range operation.Parameters {
				if p.Value.In == "query" && !e.hasParameter(p.Value.Name) {
					t.Errorf("%s: got documented parameter %s refused, want it accepted", e.pattern, p.Value.Name)
				}
			}
			for _, name := range e.query {
				if operation.Parameters.GetByInAndName("query", name) == nil {
					t.Errorf("%s: got no documentation of parameter %s, want one", e.pattern, name)
				}
			}
		}
	}
	slices.Sort(routes)
	if diff := cmp.Diff(routes, slices.Sorted(maps.Keys(operations(doc)))); diff != "" {
		t.Errorf("routes and document differ (-code +document):\n%s", diff)
	}
}

// scopesOf returns the scopes of which a key must have one, or nil if no key is needed.
func scopesOf(operation *openapi3.Operation) []string {
	var scopes []string
	for _, requirement := range *operation.Security {
		scopes = append(scopes, requirement["key"]...)
	}
	return scopes
}

// documented are the Go types behind the document's schemas.
var documented = map[string]any{
	"Problem": problem{}, "JobSpec": ffrtmp.Spec{}, "Parameters": ffrtmp.Parameters{}, "ResourceLimits": ffrtmp.ResourceLimits{},
	"Requires": ffrtmp.Requires{}, "Batch": batch{}, "Patch": ffrtmp.Patch{}, "Selection": selection{}, "Filter": ffrtmp.Filter{},
	"Job": ffrtmp.Job{}, "Attempt": ffrtmp.Attempt{}, "Progress": ffrtmp.Progress{}, "Output": ffrtmp.Output{}, "JobList": ffrtmp.List{},
	"Submitted": ffrtmp.Submitted{}, "SubmittedJob": ffrtmp.SubmittedJob{}, "Acted": acted{}, "AttemptLog": attemptLog{},
	"Explanation": ffrtmp.Explanation{}, "NodeExplanation": ffrtmp.NodeExplanation{},
	"ClaimRequest": ffrtmp.ClaimRequest{}, "ClaimResponse": ffrtmp.ClaimResponse{}, "Result": ffrtmp.Result{}, "ResultResponse": ffrtmp.ResultResponse{},
	"Registration": ffrtmp.Registration{}, "Registered": ffrtmp.Registered{}, "Heartbeat": ffrtmp.Heartbeat{}, "AttemptReport": ffrtmp.AttemptReport{},
	"HeartbeatResponse": ffrtmp.HeartbeatResponse{}, "Command": ffrtmp.Command{},
	"Event": ffrtmp.Event{}, "Query": ffrtmp.QueryRequest{}, "QueryResult": ffrtmp.QueryResult{},
	"Import": ffrtmp.Import{}, "ImportedJob": ffrtmp.ImportedJob{}, "ImportedNode": ffrtmp.ImportedNode{}, "ImportResult": ffrtmp.ImportResult{}, "ImportAnswer": ffrtmp.ImportAnswer{},
	"NewKey": ffrtmp.NewKey{}, "Key": ffrtmp.Key{}, "CreatedKey": ffrtmp.CreatedKey{}, "KeyList": ffrtmp.KeyList{}, "RevokedKey": revoked{},
	"AuditRecord": ffrtmp.AuditRecord{}, "AuditList": ffrtmp.AuditList{},
	"Node": ffrtmp.Node{}, "AttemptRef": ffrtmp.AttemptRef{}, "NodeList": ffrtmp.NodeList{}, "RemovedNode": removed{},
	"ClusterStatus": ffrtmp.ClusterStatus{}, "Member": ffrtmp.Member{}, "Transferred": transferred{}, "Health": ffrtmp.Health{},
}

// The schemas have the fields, types and required fields of the Go types.
func TestOpenAPI_Fields(t *testing.T) {
	doc := loadDocument(t)
	for name, ref := range doc.Components.Schemas {
		properties := propertiesOf(ref.Value)
		v, ok := documented[name]
		if !ok {
			if len(properties) > 0 && name != "Counted" && name != "NextJob" {
				t.Errorf("schema %s: got no Go type in this test, want one", name)
			}
			continue
		}
		fields := fieldsOf(reflect.TypeOf(v))
		if diff := cmp.Diff(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s (-code +document):\n%s", name, diff)
		}
		for field, typ := range fields {
			property := properties[field]
			if property == nil || property.Value.Type == nil {
				continue
			}
			if want := schemaTypes(typ); !slices.ContainsFunc(property.Value.Type.Slice(), func(s string) bool { return slices.Contains(want, s) }) {
				t.Errorf("%s.%s: got %v, want %v for %s", name, field, property.Value.Type.Slice(), want, typ)
			}
		}
	}
}

func propertiesOf(s *openapi3.Schema) openapi3.Schemas {
	all := maps.Clone(s.Properties)
	for _, part := range s.AllOf {
		if all == nil {
			all = openapi3.Schemas{}
		}
		maps.Copy(all, propertiesOf(part.Value))
	}
	return all
}

// fieldsOf are the names and types under which JSON knows the fields of a type.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			maps.Copy(fields, fieldsOf(f.Type))
		case name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

func schemaTypes(t reflect.Type) []string {
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[ffrtmp.Time]():
		return []string{"string"}
	case t == reflect.TypeFor[ffrtmp.Duration]():
		return []string{"string", "number"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schemaTypes(t.Elem())
	case reflect.String:
		return []string{"string"}
	case reflect.Bool:
		return []string{"boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return []string{"integer"}
	case reflect.Float64:
		return []string{"number"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 { // raw JSON
			return []string{"object"}
		}
		return []string{"array"}
	}
	return []string{"object"}
}

// The enumerations are the constants of package ffrtmp.
func TestOpenAPI_Enumerations(t *testing.T) {
	doc := loadDocument(t)
	constants := constantsOf(t, "..")
	for schema, typ := range map[string]string{
		"Status": "Status", "Queue": "Queue", "Priority": "Priority", "Outcome": "Outcome", "NodeStatus": "NodeStatus",
		"Eligibility": "Eligibility", "ResultStatus": "ResultStatus", "Verb": "Verb", "Code": "Code",
		"EventType": "EventType", "ImportOutcome": "ImportOutcome", "Scope": "Scope", "KeyStatus": "KeyStatus",
	} {
		if diff := cmp.Diff(constants[typ], enumeration(doc.Components.Schemas[schema].Value)); diff != "" || len(constants[typ]) == 0 {
			t.Errorf("%s (-code +document):\n%s", schema, diff)
		}
	}
	requires := doc.Components.Schemas["Requires"].Value
	encoders := slices.Sorted(slices.Values(append([]string{""}, ffrtmp.Encoders...)))
	if diff := cmp.Diff(encoders, enumeration(requires.Properties["encoder"].Value)); diff != "" {
		t.Errorf("encoders (-code +document):\n%s", diff)
	}
	for _, reason := range constants["FailureReason"] {
		if !strings.Contains(doc.Components.Schemas["FailureReason"].Value.Description, reason) {
			t.Errorf("got no documentation of failure reason %s, want one", reason)
		}
	}
}

func enumeration(s *openapi3.Schema) []string {
	var list []string
	for _, v := range s.Enum {
		list = append(list, fmt.Sprint(v))
	}
	slices.Sort(list)
	return list
}

// constantsOf are a package's typed string constants, sorted, by type.
func constantsOf(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || spec.Type == nil {
				return true
			}
			typ, ok := spec.Type.(*ast.Ident)
			if !ok {
				return true
			}
			for _, v := range spec.Values {
				if literal, ok := v.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					text, err := strconv.Unquote(literal.Value)
					if err != nil {
						t.Fatal(err)
					}
					found[typ.Name] = append(found[typ.Name], text)
				}
			}
			return true
		})
	}
	for _, list := range found {
		slices.Sort(list)
	}
	return found
}

// The document's table of errors matches the code.
func TestOpenAPI_Errors(t *testing.T) {
	text := loadDocument(t).Info.Description
	for code, status := range statuses {
		if row := fmt.Sprintf("| %d | `%s` |", status, code); !strings.Contains(text, row) && !slices.Contains([]int{http.StatusNotFound, http.StatusConflict, http.StatusGone}, status) {
			t.Errorf("got no row %q in the introduction, want one", row)
		}
	}
	for name, response := range loadDocument(t).Components.Responses {
		schema := response.Value.Content["application/json"].Schema.Value
		status, code := constraint(schema, "status"), constraint(schema, "code")
		for _, c := range code {
			if want := statuses[ffrtmp.Code(c)]; len(status) != 1 || status[0] != strconv.Itoa(want) {
				t.Errorf("%s: got %s has the status %d, documented %v", name, c, want, status)
			}
		}
	}
}

// constraint lists the values to which a response restricts a property of Problem.
func constraint(s *openapi3.Schema, property string) []string {
	var list []string
	for _, part := range s.AllOf {
		if p := part.Value.Properties[property]; p != nil {
			if p.Value.Const != nil {
				list = append(list, fmt.Sprint(p.Value.Const))
			}
			list = append(list, enumeration(p.Value)...)
		}
	}
	return list
}

// Every operation is reached with every status that it documents. The harness checks each request
// and answer against the document.
func TestOpenAPI_Traffic(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.want(200, "POST", "/nodes/register", `{"node_id":"`+nodeA+`","address":"a","max_concurrent_jobs":8,"encoders":["libx264"]}`)
	var old ffrtmp.Registered
	m.want(201, "POST", "/nodes/register", `{"address":"old","labels":{"os":"linux"},"ram_total_bytes":1}`).decode(t, &old)
	m.want(409, "POST", "/nodes/register", `{"address":"other"}`, "Idempotency-Key", m.spend("register", "/nodes/register", `{"address":"x"}`))
	heartbeat, claim := "/nodes/"+nodeA+"/heartbeat", `{"node_id":"`+nodeA+`","max":8,"wait":0.1}`

	full := `{"scenario":"live-4k60-H265","confidence":"auto","engine":"ffmpeg","classification":"x","queue":"live","priority":"high","max_retries":0,
		"labels":{"a":"b"},"requires":{"labels":{}},"parameters":{"codec":"h264","duration":1,"resource_limits":{"timeout_sec":60}}}`
	m.want(201, "POST", "/jobs", full, "Idempotency-Key", "full")
	m.want(200, "POST", "/jobs", full, "Idempotency-Key", "full")
	m.want(409, "POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "full")
	m.want(201, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"480p"},{"scenario":"360p"}]}`, "Idempotency-Key", "batch")
	m.want(200, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"480p"},{"scenario":"360p"}]}`, "Idempotency-Key", "batch")
	m.want(409, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"}]}`, "Idempotency-Key", "batch")
	m.want(200, "GET", "/jobs/1/explain", "")

	var claimed ffrtmp.ClaimResponse
	m.want(200, "POST", "/jobs/claim", claim).decode(t, &claimed)
	first := claimed.Jobs[0]
	m.want(200, "POST", heartbeat, fmt.Sprintf(`{"wait":"10ms","attempts":[{"job_id":%q,"attempt":1,"lease":%q,"progress":12.5,"progress_detail":{"phase":"encoding","frame":1,"fps":1.5},"log_tail":"one\n","log_offset":0}]}`, first.ID, first.Lease))
	m.want(200, "GET", "/jobs/1", "")
	m.want(200, "POST", "/jobs/1/pause", "")
	m.want(200, "POST", heartbeat, `{}`)
	m.want(200, "POST", "/jobs/1/resume", `{}`)
	m.want(409, "POST", "/jobs/1/resume", "")
	m.want(409, "DELETE", "/nodes/"+nodeA, "")
	m.want(200, "POST", "/results", result(first, "failed", `,"error":"broken","failure_reason":"user_error","logs":"one\ntwo\n","metrics":{"fps":1},"completed_at":"2026-01-02T03:04:05Z"`))
	m.want(200, "POST", "/results", result(claimed.Jobs[1], "publishing", ""))
	m.want(200, "POST", "/results", result(claimed.Jobs[1], "completed", `,"output":{"path":"x.mp4","size_bytes":1,"sha256":"`+strings.Repeat("0a", 32)+`"}`))
	m.want(200, "POST", "/results", result(claimed.Jobs[2], "failed", `,"error":"broken"`))
	m.want(409, "POST", "/results", result(first, "completed", ""))
	m.want(404, "POST", "/results", `{"job_id":"99","node_id":"x","status":"failed"}`)
	m.want(409, "PATCH", "/jobs/1", `{"queue":"batch"}`)
	m.want(409, "POST", "/jobs/1/pause", "")
	m.want(200, "POST", "/jobs/1/retry", "")
	m.want(409, "POST", "/jobs/1/retry", "")
	m.want(200, "PATCH", "/jobs/1", `{"queue":"batch","priority":"low","labels":{},"max_retries":1}`)
	m.want(409, "POST", "/jobs/2/cancel", "")
	m.want(200, "POST", "/jobs/1/cancel", "")
	m.want(200, "POST", "/jobs/cancel", `{"filter":{"status":"pending","queue":"default"}}`, "Idempotency-Key", "many")
	m.want(409, "POST", "/jobs/cancel", `{"filter":{"status":"paused"}}`, "Idempotency-Key", "many")
	for _, ref := range []string{"1", "2", "3"} {
		m.want(200, "GET", "/jobs/"+ref, "")
		m.want(200, "GET", "/jobs/"+ref+"/explain", "")
		m.want(200, "GET", "/jobs/"+ref+"/logs", "")
	}
	m.want(200, "GET", "/jobs/1/logs?follow&attempt=1&offset=0", "")
	m.want(200, "GET", "/api/v1/jobs/1?consistent", "")
	m.want(200, "GET", "/jobs?status=canceled&queue=default&priority=medium&label=a&order=asc&limit=1&stale&max_stale=5s&index=1&wait=0m1.5s", "")
	m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/next?node_id="+old.ID, "")
	m.want(200, "GET", "/jobs/next?node_id="+old.ID, "")
	m.want(200, "POST", "/nodes/"+old.ID+"/heartbeat", "")
	m.want(200, "GET", "/nodes", "")
	m.want(200, "GET", "/nodes/"+old.ID+"?stale=true", "")
	for _, place := range []string{"drain", "cordon", "uncordon"} {
		path := "/nodes/" + nodeA + "/" + place
		m.want(200, "POST", path, "", "Idempotency-Key", place)
		m.want(404, "POST", "/nodes/x/"+place, "")
		m.want(409, "POST", "/nodes/"+old.ID+"/"+place, "", "Idempotency-Key", place)
		m.want(400, "POST", path, "[]")
	}
	m.want(200, "DELETE", "/nodes/"+old.ID+"?force", "")
	m.want(404, "DELETE", "/nodes/"+old.ID, "")
	m.want(400, "DELETE", "/nodes/"+nodeA+"?force=maybe", "")

	m.stream("?since=1.0&type=job.submitted,node.registered&job_id=1").next()
	m.want(400, "GET", "/events?since=x", "")
	proposer := fsm.NewProposer(m.log, fsm.ProposerOptions{})
	if _, _, err := proposer.Prune(t.Context(), fsm.PruneRequest{Events: time.Now()}); err != nil {
		t.Fatal(err)
	}
	m.want(410, "GET", "/events?since=1.0", "")
	m.want(200, "POST", "/query", `{"sql":"SELECT *, NULL, 1.5 FROM jobs"}`)
	m.want(400, "POST", "/query", `{"sql":"SELECT"}`)

	imported := `{"jobs":[{"id":"01985f3a-0000-7000-8000-00000000000a","scenario":"720p","status":"pending","created_at":"2026-01-02T03:04:05Z","sequence_number":900}]}`
	m.want(200, "POST", "/import?dry_run", imported)
	m.want(200, "POST", "/import", imported, "Idempotency-Key", "import")
	m.want(409, "POST", "/import", `{"nodes":[{"id":"01985f3a-0000-7000-8000-00000000000b","address":"b","registered_at":"2026-01-02T03:04:05Z","last_heartbeat":"2026-01-02T03:04:05Z"}]}`, "Idempotency-Key", "import")
	m.want(400, "POST", "/import", `{}`)

	ci := `{"name":"ci","scopes":["read","agent"],"expires_in":"24h","rate_limit":100}`
	var key ffrtmp.CreatedKey
	m.want(201, "POST", "/keys", ci, "Idempotency-Key", "ci").decode(t, &key)
	m.want(200, "POST", "/keys", ci, "Idempotency-Key", "ci")
	m.want(409, "POST", "/keys", `{"name":"ci","scopes":["read"]}`, "Idempotency-Key", "ci")
	m.want(400, "POST", "/keys", `{}`)
	m.want(200, "GET", "/keys", "")
	m.want(200, "GET", "/keys/"+key.ID, "")
	m.want(400, "DELETE", "/keys/"+key.ID, "[]")
	m.want(200, "DELETE", "/keys/"+key.ID, "")
	m.want(404, "DELETE", "/keys/x", "")
	m.want(200, "GET", "/audit?limit=1&since=2026-01-02T03:04:05Z", "")
	m.want(200, "GET", "/audit", "")

	m.want(200, "GET", "/cluster", "")
	m.want(409, "POST", "/cluster/leader/transfer", "")
	m.want(400, "POST", "/cluster/leader/transfer", "[]")
	m.cluster.others = []cluster.Member{{ID: "m2", Role: "follower", Voter: true, LastContact: -1}}
	m.want(200, "POST", "/cluster/leader/transfer", "")
	m.want(200, "GET", "/openapi.yaml", "")
	for _, path := range []string{"/jobs/x", "/api/v1/jobs/x", "/jobs/x/logs", "/jobs/x/explain", "/nodes/x", "/keys/x", "/jobs/next?node_id=x"} {
		m.want(404, "GET", path, "")
	}
	for _, path := range []string{"/jobs", "/jobs/1", "/api/v1/jobs/1", "/jobs/1/logs", "/jobs/1/explain", "/nodes", "/nodes/" + nodeA, "/cluster", "/keys", "/keys/" + key.ID, "/audit"} {
		m.want(400, "GET", path+"?index=x", "")
	}
	m.want(400, "GET", "/jobs/next", "")
	for _, path := range []string{"/jobs", "/jobs/batch", "/jobs/cancel", "/jobs/claim", "/results", "/nodes/register", heartbeat} {
		m.want(400, "POST", path, "[]")
	}
	m.want(404, "POST", "/jobs/claim", `{"node_id":"x"}`)
	m.want(404, "POST", "/nodes/x/heartbeat", "")
	m.want(400, "PATCH", "/jobs/1", "[]")
	m.want(404, "PATCH", "/jobs/x", "{}")
	for _, action := range []string{"cancel", "pause", "resume", "retry"} {
		m.want(400, "POST", "/jobs/1/"+action, "[]")
		m.want(404, "POST", "/jobs/x/"+action, "")
	}
	m.want(401, "GET", "/jobs", "", "Authorization", "Bearer wrong")
	m.want(200, "GET", "/health", "")
	m.want(200, "GET", "/health/ready", "")
	m.want(200, "GET", "/health/leader", "")
	m.cluster.readyErr = fmt.Errorf("the disk is full")
	m.want(503, "GET", "/health/ready", "")
	m.cluster.setLeader(&cluster.Leader{ID: "m2", APIURL: "https://m2:8080"})
	m.want(429, "GET", "/health/leader", "")
	m.cluster.setLeader(nil)
	m.want(503, "GET", "/health/leader", "")

	for pattern, operation := range operations(m.conformance.doc) {
		for status := range operation.Responses.Map() {
			if status != "default" && !m.conformance.saw(pattern, status) {
				t.Errorf("%s: got no answer %s, want one", pattern, status)
			}
		}
	}
}

// spend uses an idempotency key and returns it.
func (m *master) spend(key, path, body string) string {
	m.t.Helper()
	if r := m.request("POST", path, body, "Idempotency-Key", key); r.StatusCode >= 300 {
		m.t.Fatalf("POST %s: got %d %s, want success", path, r.StatusCode, r.body)
	}
	return key
}
