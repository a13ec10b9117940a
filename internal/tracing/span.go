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

// Span is something under way. The zero Span records nothing.
type Span struct{ span trace.Span }

// Attr is a name and a value of a span.
type Attr = attribute.KeyValue

// Names of attributes, by which traces are searched.
const (
	JobID     = attribute.Key("ffrtmp.job.id")
	Attempt   = attribute.Key("ffrtmp.attempt")
	RequestID = attribute.Key("ffrtmp.request.id")
	Result    = attribute.Key("ffrtmp.result")
	Scenario  = attribute.Key("ffrtmp.scenario")
	Resumed   = attribute.Key("ffrtmp.resumed")
)

// Start begins a span, as a child of the one in ctx. Attributes are copied here and
// below, so that they cost no allocation when there is no trace.
func (t *Tracer) Start(ctx context.Context, name string, attrs ...Attr) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithAttributes(slices.Clone(attrs)...))
	return ctx, Span{span}
}

// Ran records what has ended already, as a child of the span in ctx.
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

// Fail marks the span as failed, for a reason that may be shown to anybody.
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

// Traceparent returns what stands for the span in ctx or, when there is none, for the
// one that the request's header names; "" when it names none.
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

// Continue returns a context in which spans are children of the one that a traceparent
// stands for.
func (t *Tracer) Continue(ctx context.Context, parent string) context.Context {
	if t == nil || parent == "" {
		return ctx
	}
	return w3c.Extract(ctx, propagation.MapCarrier{"traceparent": parent})
}
