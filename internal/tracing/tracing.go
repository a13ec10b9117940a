// Package tracing is the seam to OpenTelemetry. A Tracer exports spans over OTLP/HTTP;
// a nil one is off: it has no goroutine, and its methods hand back what they are given.
//
// Spans carry ids, names and outcomes only, never a job's parameters: those may hold keys.
package tracing

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Bounds on what a collector that is slow or away can cost. What does not fit the queue
// is dropped.
const (
	exportTimeout = 5 * time.Second
	retryTime     = 15 * time.Second
	closeTimeout  = 2 * time.Second
	queueLength   = 2048
)

// Config says where spans go and whose they are.
type Config struct {
	Endpoint string // URL of an OTLP/HTTP collector; its path is /v1/traces unless it has one
	Service  string
	Version  string
	Instance string // node id, "" for none
	Logger   hclog.Logger
}

// Tracer makes spans. All methods may be called on nil and from any goroutine.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	log      hclog.Logger
}

// Open returns a Tracer, nil when there is no endpoint. It connects to nothing yet.
func Open(ctx context.Context, cfg Config) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil
	}
	address, err := endpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	out, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(address),
		otlptracehttp.WithTimeout(exportTimeout),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
			Enabled: true, InitialInterval: time.Second, MaxInterval: exportTimeout, MaxElapsedTime: retryTime,
		}))
	if err != nil {
		return nil, fmt.Errorf("open the exporter of traces: %w", err)
	}
	about := []attribute.KeyValue{attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version)}
	if cfg.Instance != "" {
		about = append(about, attribute.String("service.instance.id", cfg.Instance))
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporter{SpanExporter: out, log: cfg.Logger},
			sdk.WithMaxQueueSize(queueLength), sdk.WithExportTimeout(retryTime+exportTimeout)),
		sdk.WithResource(resource.NewSchemaless(about...)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("ffrtmp"), log: cfg.Logger}, nil
}

// CheckEndpoint refuses a URL that Open would.
func CheckEndpoint(s string) error {
	_, err := endpoint(s)
	return err
}

// endpoint completes a collector's URL. Credentials in it would end in logs.
func endpoint(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q must be a URL such as http://collector:4318", s)
	case u.User != nil:
		return "", fmt.Errorf("the URL must not hold credentials; put them into OTEL_EXPORTER_OTLP_HEADERS")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Close exports what is left, within closeTimeout. That it cannot is no failure of the
// program that ends.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last traces were not exported", "error", err)
	}
}

// exporter logs when exporting begins to fail, and when it works again: a collector
// that is away is nobody else's trouble.
type exporter struct {
	sdk.SpanExporter
	log     hclog.Logger
	failing atomic.Bool
}

// ExportSpans implements the SDK's SpanExporter.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	switch was := e.failing.Swap(err != nil); {
	case err != nil && !was:
		e.log.Warn("traces are not exported and will be lost", "error", err)
	case err == nil && was:
		e.log.Info("traces are exported again")
	}
	return nil
}
