package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// Handler records the requests that carry a traceparent, and those with which a trace
// may begin; agents that ask again and again are not to fill the collector.
func (t *Tracer) Handler(next http.Handler, begins func(*http.Request) bool) http.Handler {
	if t == nil {
		return next
	}
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(w3c),
		otelhttp.WithFilter(func(r *http.Request) bool { return r.Header.Get(traceparent) != "" || begins(r) }))
}

// Transport records, and passes on, the requests that are made within a span.
func (t *Tracer) Transport(next http.RoundTripper, name string) http.RoundTripper {
	if t == nil {
		return next
	}
	return otelhttp.NewTransport(next,
		otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(w3c),
		otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return name }),
		otelhttp.WithFilter(func(r *http.Request) bool { return trace.SpanContextFromContext(r.Context()).IsValid() }))
}

// Routed names the request's span by the pattern that it has matched.
func Routed(ctx context.Context, pattern, requestID string) {
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetName(pattern)
		span.SetAttributes(attribute.String("http.route", pattern), RequestID.String(requestID))
	}
}
