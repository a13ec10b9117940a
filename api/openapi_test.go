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
			if operation.Description == "" { // which spectral warns of
				t.Errorf("%s: got no description, want one", e.pattern)
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
	if list, ok := operation.Extensions["x-scopes"].([]any); ok {
		for _, scope := range list {
			scopes = append(scopes, fmt.Sprint(scope))
		}
	}
	if open := operation.Security != nil && len(*operation.Security) == 0; open != (scopes == nil) {
		return []string{"x-scopes and security contradict each other"}
	}
	return scopes
}

// documented are the Go types behind the document's schemas.
var documented = map[string]any{
	"Problem":           problem{},
	"JobSpec":           ffrtmp.Spec{},
	"Catalogue":         ffrtmp.Catalogue{},
	"CatalogueScenario": ffrtmp.CatalogueScenario{},
	"CatalogueEncoder":  ffrtmp.CatalogueEncoder{},
	"CataloguePresets":  ffrtmp.CataloguePresets{},
	"CataloguePair":     ffrtmp.CataloguePair{},
	"Parameter":         ffrtmp.Parameter{},
	"ParameterRange":    ffrtmp.ParameterRange{},
	"Parameters":        ffrtmp.Parameters{},
	"ResourceLimits":    ffrtmp.ResourceLimits{},
	"AudioTrack":        ffrtmp.AudioTrack{},
	"SubtitleTrack":     ffrtmp.SubtitleTrack{},
	"Watermark":         ffrtmp.Watermark{},
	"Requires":          ffrtmp.Requires{},
	"Batch":             batch{},
	"Patch":             ffrtmp.Patch{},
	"Selection":         selection{},
	"Prioritized":       prioritized{},
	"Changed":           ffrtmp.Changed{},
	"Filter":            ffrtmp.Filter{},
	"Job":               ffrtmp.Job{},
	"DryRun":            ffrtmp.DryRun{},
	"Stats":             ffrtmp.Stats{},
	"StatsBucket":       ffrtmp.StatsBucket{},
	"Percentiles":       ffrtmp.Percentiles{},
	"Attempt":           ffrtmp.Attempt{},
	"Progress":          ffrtmp.Progress{},
	"Output":            ffrtmp.Output{},
	"ResultOutput":      ffrtmp.Output{},
	"Sidecar":           ffrtmp.Sidecar{},
	"TrackLoudness":     ffrtmp.TrackLoudness{},
	"LoudnessLevel":     ffrtmp.LoudnessLevel{},
	"JobList":           ffrtmp.List{},
	"Submitted":         ffrtmp.Submitted{},
	"SubmittedJob":      ffrtmp.SubmittedJob{},
	"Acted":             acted{},
	"AttemptLog":        attemptLog{},
	"Explanation":       ffrtmp.Explanation{},
	"NodeExplanation":   ffrtmp.NodeExplanation{},
	"ClaimRequest":      ffrtmp.ClaimRequest{},
	"ClaimResponse":     ffrtmp.ClaimResponse{},
	"Result":            ffrtmp.Result{},
	"ResultResponse":    ffrtmp.ResultResponse{},
	"JobMedia":          ffrtmp.JobMedia{},
	"MediaFile":         ffrtmp.MediaFile{},
	"MediaStream":       ffrtmp.MediaStream{},
	"Series":            ffrtmp.Series{},
	"LeaderChange":      ffrtmp.LeaderChange{},
	"Registration":      ffrtmp.Registration{},
	"Registered":        ffrtmp.Registered{},
	"Heartbeat":         ffrtmp.Heartbeat{},
	"AttemptReport":     ffrtmp.AttemptReport{},
	"HeartbeatResponse": ffrtmp.HeartbeatResponse{},
	"Command":           ffrtmp.Command{},
	"ProgressEvent":     ffrtmp.ProgressEvent{},
	"LiveProgress":      ffrtmp.LiveProgress{},
	"Query":             ffrtmp.QueryRequest{},
	"QueryResult":       ffrtmp.QueryResult{},
	"Import":            ffrtmp.Import{},
	"ImportedJob":       ffrtmp.ImportedJob{},
	"ImportedNode":      ffrtmp.ImportedNode{},
	"ImportResult":      ffrtmp.ImportResult{},
	"ImportAnswer":      ffrtmp.ImportAnswer{},
	"NewKey":            ffrtmp.NewKey{},
	"Key":               ffrtmp.Key{},
	"CreatedKey":        ffrtmp.CreatedKey{},
	"NewSession":        sessionRequest{},
	"Identity":          ffrtmp.Identity{},
	"KeyList":           ffrtmp.KeyList{},
	"RevokedKey":        revoked{},
	"AuditRecord":       ffrtmp.AuditRecord{},
	"AuditList":         ffrtmp.AuditList{},
	"Node":              ffrtmp.Node{},
	"AttemptRef":        ffrtmp.AttemptRef{},
	"NodeList":          ffrtmp.NodeList{},
	"RemovedNode":       removed{},
	"ClusterStatus":     ffrtmp.ClusterStatus{},
	"Member":            ffrtmp.Member{},
	"Transferred":       transferred{},
	"Leadership":        ffrtmp.Leadership{},
	"MemberChange":      ffrtmp.MemberChange{},
	"Autopilot":         ffrtmp.Autopilot{},
	"AutopilotChange":   ffrtmp.AutopilotChange{},
	"Backups":           ffrtmp.Backups{},
	"NewGossipKey":      ffrtmp.NewGossipKey{},
	"GossipKey":         ffrtmp.GossipKey{},
	"GossipKeyList":     ffrtmp.GossipKeyList{},
	"GossipKeyChange":   ffrtmp.GossipKeyChange{},
	"RestoredSnapshot":  ffrtmp.RestoredSnapshot{},
	"Health":            ffrtmp.Health{},
}

// The schemas have the fields, types and required fields of the Go types.
func TestOpenAPI_Fields(t *testing.T) {
	doc := loadDocument(t)
	for name, ref := range doc.Components.Schemas {
		properties := propertiesOf(ref.Value)
		v, ok := documented[name]
		if !ok {
			if len(properties) > 0 && name != "NextJob" && !slices.Contains(eventSchemas, name) {
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
			if property == nil {
				continue
			}
			got, want := documentTypes(property.Value), schemaTypes(typ)
			if got == nil {
				continue
			}
			if !slices.ContainsFunc(got, func(s string) bool { return slices.Contains(want, s) }) {
				t.Errorf("%s.%s: got %v, want %v for %s", name, field, got, want, typ)
			}
		}
	}
}

// The document's bounds and enumerations of parameters are those of the catalogue.
func TestOpenAPI_Catalogue(t *testing.T) {
	properties := loadDocument(t).Components.Schemas["Parameters"].Value.Properties
	for _, p := range ffrtmp.NewCatalogue().Parameters {
		s := properties[p.Name].Value
		if p.Minimum != nil {
			least, most := s.Min, s.Max
			if p.Above {
				least = s.ExclusiveMin.Value
			}
			if least == nil || most == nil || *least != *p.Minimum || *most != *p.Maximum {
				t.Errorf("%s: got other bounds in the document, want %s", p.Name, p.Range())
			}
		}
		if len(s.Enum) > 0 {
			want := slices.Sorted(slices.Values(append([]string{""}, p.Values...)))
			if diff := cmp.Diff(want, enumeration(s)); diff != "" {
				t.Errorf("%s (-catalogue +document):\n%s", p.Name, diff)
			}
		}
	}
}

// eventSchemas are the schemas of ffrtmp.Event by its type.
var eventSchemas = []string{"JobEvent", "NodeEvent", "RestoredEvent", "MasterEvent"}

// The schemas of events have the fields of ffrtmp.Event and its types, each once.
func TestOpenAPI_Events(t *testing.T) {
	schemas := loadDocument(t).Components.Schemas
	fields, types := map[string]bool{}, []string{}
	for _, name := range append(slices.Clone(eventSchemas), "ProgressEvent") {
		for field := range schemas[name].Value.Properties {
			fields[field] = true
		}
		of := schemas[name].Value.Properties["type"].Value
		if of.Const != nil {
			types = append(types, fmt.Sprint(of.Const))
		}
		types = append(types, enumeration(of)...)
	}
	slices.Sort(types)
	if diff := cmp.Diff(enumeration(schemas["EventType"].Value), types); diff != "" {
		t.Errorf("types (-EventType +events):\n%s", diff)
	}
	want := slices.Sorted(maps.Keys(fieldsOf(reflect.TypeFor[ffrtmp.Event]())))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(fields))); diff != "" {
		t.Errorf("fields (-code +document):\n%s", diff)
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

// documentTypes lists the types of a property: its own, or those that it chooses one of, as generators of clients take
// them.
func documentTypes(s *openapi3.Schema) []string {
	list := s.Type.Slice()
	for _, one := range s.OneOf {
		list = append(list, one.Value.Type.Slice()...)
	}
	return list
}

func schemaTypes(t reflect.Type) []string {
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[ffrtmp.Time]():
		return []string{"string"}
	case t == reflect.TypeFor[ffrtmp.Duration]():
		return []string{"string", "number"}
	case t == reflect.TypeFor[ffrtmp.Scalar]():
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
		"KeyKind": "KeyKind",
	} {
		diff := cmp.Diff(constants[typ], enumeration(doc.Components.Schemas[schema].Value))
		if diff != "" || len(constants[typ]) == 0 {
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
		// The introduction has no rows for the statuses that depend on the operation.
		perOperation := []int{http.StatusNotFound, http.StatusConflict, http.StatusGone}
		row := fmt.Sprintf("| %d | `%s` |", status, code)
		if !strings.Contains(text, row) && !slices.Contains(perOperation, status) {
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
