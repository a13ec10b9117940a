package tracing

import (
	"context"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Span is a timed operation. The zero Span records nothing.
type Span struct{ span trace.Span }

// Attr is a name and a value of a span.
type Attr = attribute.KeyValue

// Names of attributes to search traces by.
const (
	JobID     = attribute.Key("ffrtmp.job.id")
	Attempt   = attribute.Key("ffrtmp.attempt")
	RequestID = attribute.Key("ffrtmp.request.id")
	Result    = attribute.Key("ffrtmp.result")
	Scenario  = attribute.Key("ffrtmp.scenario")
	Resumed   = attribute.Key("ffrtmp.resumed")
)

// Start starts a span as a child of the one in ctx. Start and Set copy the attributes, so
// that callers allocate nothing without a trace.
func (t *Tracer) Start(ctx context.Context, name string, attrs ...Attr) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(slices.Clone(attrs)...))
	return ctx, Span{span}
}

// Ran records a finished operation as a child of the span in ctx.
func (t *Tracer) Ran(ctx context.Context, name string, from, to time.Time) {
	if t == nil {
		return
	}
	_, span := t.tracer.Start(ctx, name, trace.WithTimestamp(from))
	span.End(trace.WithTimestamp(to))
}

// Set adds attributes.
func (s Span) Set(attrs ...Attr) {
	if s.span != nil {
		s.span.SetAttributes(slices.Clone(attrs)...)
	}
}

// Fail marks the span as failed. The reason must contain no secret.
func (s Span) Fail(reason string) {
	if s.span != nil {
		s.span.SetStatus(codes.Error, reason)
	}
}

// End ends the span.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

var w3c propagation.TraceContext

// traceparent is the W3C header.
const traceparent = "Traceparent"

// Traceparent returns the traceparent of the span in ctx. Without a span it returns the
// request's, or "".
func Traceparent(ctx context.Context, header http.Header) string {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		if header.Get(traceparent) == "" {
			return ""
		}
		ctx = w3c.Extract(ctx, propagation.HeaderCarrier(header))
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Continue returns a context whose spans are children of the span of a traceparent.
func (t *Tracer) Continue(ctx context.Context, parent string) context.Context {
	if t == nil || parent == "" {
		return ctx
	}
	return w3c.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
}
