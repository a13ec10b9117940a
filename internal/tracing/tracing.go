// Package tracing wraps OpenTelemetry. A Tracer exports spans over OTLP/HTTP. A nil Tracer
// is off: it has no goroutine, and its methods return their arguments.
//
// Spans contain ids, names and outcomes, never a job's parameters, which may contain keys.
package tracing

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Limits that bound the cost of a slow or unreachable collector. Spans that exceed the
// queue are dropped.
const (
	exportTimeout = 5 * time.Second
	retryTime     = 15 * time.Second
	closeTimeout  = 2 * time.Second
	queueLength   = 2048
)

// Config configures a Tracer.
type Config struct {
	Endpoint string // URL of an OTLP/HTTP collector; the default path is /v1/traces
	Service  string
	Version  string
	Instance string // node id, or ""
	Logger   hclog.Logger
}

// Tracer creates spans. A nil Tracer is valid. It is safe for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	log      hclog.Logger
}

// Open returns a Tracer, or nil without an endpoint. It does not connect yet.
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
		return nil, fmt.Errorf("create trace exporter: %w", err)
	}
	service := []attribute.KeyValue{
		attribute.String("service.name", cfg.Service), attribute.String("service.version", cfg.Version),
	}
	if cfg.Instance != "" {
		service = append(service, attribute.String("service.instance.id", cfg.Instance))
	}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(&exporter{SpanExporter: out, log: cfg.Logger},
			sdk.WithMaxQueueSize(queueLength), sdk.WithExportTimeout(retryTime+exportTimeout)),
		sdk.WithResource(resource.NewSchemaless(service...)),
	)
	return &Tracer{provider: provider, tracer: provider.Tracer("ffrtmp"), log: cfg.Logger}, nil
}

// CheckEndpoint returns the error that Open would return for a URL.
func CheckEndpoint(s string) error {
	_, err := endpoint(s)
	return err
}

// endpoint completes a collector's URL, or v2.2's host:port. It refuses credentials, which would appear in logs.
func endpoint(s string) (string, error) {
	if host, _, err := net.SplitHostPort(s); err == nil && host != "" && !strings.Contains(s, "/") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("invalid URL %q: must be like http://collector:4318", s)
	case u.User != nil:
		return "", fmt.Errorf("URL must not contain credentials: set OTEL_EXPORTER_OTLP_HEADERS instead")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

// Close exports the remaining spans within closeTimeout. A failure is only logged.
func (t *Tracer) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("export of the last traces failed", "error", err)
	}
}

// exporter logs when exports start to fail and when they recover. A failure affects
// nothing else.
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
		e.log.Warn("trace export failed, dropping traces", "error", err)
	case err == nil && was:
		e.log.Info("trace export recovered")
	}
	return nil
}
