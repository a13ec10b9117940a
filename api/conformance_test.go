package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

func init() {
	openapi3filter.RegisterBodyDecoder(eventStreamType, openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("video/mp4", openapi3filter.FileBodyDecoder)
}

// document is openapi.yaml, parsed once.
var document = sync.OnceValues(func() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapiDocument)
	if err != nil {
		return nil, err
	}
	return doc, doc.Validate(context.Background())
})

func loadDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// operations lists the document's operations by pattern, as in routes.go.
func operations(doc *openapi3.T) map[string]*openapi3.Operation {
	all := map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			all[method+" "+path] = operation
		}
	}
	return all
}

// conformance wraps a server and checks every answer, and every successful request, against the
// document.
type conformance struct {
	t    testing.TB
	doc  *openapi3.T
	mux  *http.ServeMux // only finds the pattern
	next http.Handler

	mu   sync.Mutex
	seen map[string]int // how often a pattern was answered with a status
}

// maxChecked is how many answers of one kind are checked, so that tests of ten thousand requests
// stay fast.
const maxChecked = 100

func conforming(t testing.TB, next http.Handler) *conformance {
	c := &conformance{t: t, doc: loadDocument(t), mux: http.NewServeMux(), next: next, seen: map[string]int{}}
	for pattern := range operations(c.doc) {
		c.mux.Handle(pattern, http.NotFoundHandler())
	}
	return c
}

func (c *conformance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, pattern := c.mux.Handler(r)
	if pattern == "" || r.Method == http.MethodHead {
		c.next.ServeHTTP(w, r)
		return
	}
	request := r.Clone(r.Context())
	var sent bytes.Buffer
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, &sent), r.Body}
	nth := 0
	answer := &tee{ResponseWriter: w, begins: func(status int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		kind := fmt.Sprint(pattern, " ", status)
		c.seen[kind]++
		nth = c.seen[kind]
	}}
	c.next.ServeHTTP(answer, r)
	if nth > maxChecked || answer.status == 0 && r.Context().Err() != nil { // the client has disconnected
		return
	}

	if err := c.check(request, pattern, sent.Bytes(), answer); err != nil {
		c.t.Errorf("%s %s: got an undocumented %d: %v", request.Method, request.URL, answer.status, err)
	}
}

// withoutNulls returns a body without its null fields. Malformed JSON is returned unchanged.
func withoutNulls(body []byte) []byte {
	var v any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&v) != nil {
		return body
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			maps.DeleteFunc(v, func(_ string, field any) bool { return field == nil })
			for _, field := range v {
				strip(field)
			}
		case []any:
			for _, element := range v {
				strip(element)
			}
		}
	}
	strip(v)
	stripped, err := json.Marshal(v)
	if err != nil {
		return body
	}
	return stripped
}

// saw reports whether a pattern was answered with a status.
func (c *conformance) saw(pattern, status string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[pattern+" "+status] > 0
}

func (c *conformance) check(r *http.Request, pattern string, sent []byte, answer *tee) error {
	method, path, _ := strings.Cut(pattern, " ")
	item := c.doc.Paths.Find(path)
	input := &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: pathParameters(path, r.URL.Path),
		Route: &routers.Route{
			Spec: c.doc, Path: path, PathItem: item, Method: method,
			Operation: item.GetOperation(method),
		},
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
			IncludeResponseStatus: true,
		},
	}
	// curl's default type is accepted.
	r.Header.Set("Content-Type", "application/json")
	if body := input.Route.Operation.RequestBody; body != nil && body.Value.Content["application/json"] == nil {
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	var refused error
	if answer.status < 300 {
		r.Body = io.NopCloser(bytes.NewReader(withoutNulls(sent)))
		refused = openapi3filter.ValidateRequest(r.Context(), input)
	}
	return errors.Join(refused, openapi3filter.ValidateResponse(r.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 answer.status,
		Header:                 answer.Header(),
		Body:                   io.NopCloser(&answer.body),
		Options:                input.Options,
	}))
}

func pathParameters(pattern, path string) map[string]string {
	values := map[string]string{}
	given := strings.Split(path, "/")
	for i, part := range strings.Split(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			values[strings.TrimSuffix(name, "}")] = given[i]
		}
	}
	return values
}

// tee keeps a copy of an answer.
type tee struct {
	http.ResponseWriter
	begins func(status int)
	status int
	body   bytes.Buffer
}

func (t *tee) WriteHeader(status int) {
	t.status = status
	t.begins(status)
	t.ResponseWriter.WriteHeader(status)
}

func (t *tee) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	t.body.Write(p)
	return t.ResponseWriter.Write(p)
}

func (t *tee) Unwrap() http.ResponseWriter { return t.ResponseWriter }
