package tracing

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Off costs nothing.
func TestTracer_Off(t *testing.T) {
	before := runtime.NumGoroutine()
	tracer, err := Open(t.Context(), Config{})
	if tracer != nil || err != nil {
		t.Fatalf("%v, %v", tracer, err)
	}
	ctx, header, id := t.Context(), http.Header{}, strings.Repeat("x", 36)
	if n := testing.AllocsPerRun(100, func() {
		ctx, span := tracer.Start(tracer.Continue(ctx, parent), "commit", JobID.String(id), Attempt.Int(7))
		if Traceparent(ctx, header) != "" {
			t.Error("there is a trace")
		}
		span.Set(JobID.String(id))
		span.Fail("reason")
		Routed(ctx, "POST /jobs", id)
		span.End()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if tracer.Transport(http.DefaultTransport, "call") != http.DefaultTransport {
		t.Error("the transport is wrapped")
	}
	mux := http.NewServeMux()
	if tracer.Handler(mux, nil) != http.Handler(mux) {
		t.Error("the handler is wrapped")
	}
	tracer.Close()
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// A traceparent is taken only when it is one.
func TestTraceparent(t *testing.T) {
	for value, want := range map[string]string{
		parent: parent,
		"":     "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"garbage\n": "",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": "",
		strings.Repeat("0", 100_000):                              "",
	} {
		if got := Traceparent(t.Context(), http.Header{"Traceparent": {value}}); got != want {
			t.Errorf("%.80q is taken for %q, want %q", value, got, want)
		}
	}
}

func TestCheckEndpoint(t *testing.T) {
	for url, want := range map[string]string{
		"http://collector:4318": "", "https://collector/otlp/v1/traces": "",
		"collector:4318": "", "[::1]:4318": "", "collector": "URL", ":4318": "URL",
		"grpc://collector:4317": "URL", "http://user:secret@collector": "credentials",
	} {
		err := CheckEndpoint(url)
		if (err == nil) != (want == "") ||
			err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got error %v, want %q", url, err, want)
		}
	}
}

// A hanging collector blocks nothing: spans that exceed the queue are dropped, and Close
// returns.
func TestTracer_CollectorHangs(t *testing.T) {
	ctx, release := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ctx.Done() }))
	defer server.Close()
	defer release()
	var log bytes.Buffer
	tracer, err := Open(t.Context(),
		Config{Endpoint: server.URL, Logger: hclog.New(&hclog.LoggerOptions{Output: &log})})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 * queueLength {
		_, span := tracer.Start(t.Context(), "span")
		span.End()
	}
	tracer.Close()
	if want := "export of the last traces failed"; !strings.Contains(log.String(), want) {
		t.Errorf("got log %q, want %q", &log, want)
	}
}
