package otlp

import (
	"context"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/yamlprovider"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry"
)

// sink is an exporter that keeps what the collector's pipeline hands to it.
type sink struct {
	component.StartFunc
	component.ShutdownFunc
	consumertest.TracesSink
}

var sinkType = component.MustNewType("sink")

// factory makes the exporter for a collector.
func (s *sink) factory() exporter.Factory {
	create := func(context.Context, exporter.Settings, component.Config) (exporter.Traces, error) { return s, nil }
	return exporter.NewFactory(sinkType, func() component.Config { return &struct{}{} },
		exporter.WithTraces(create, component.StabilityLevelStable))
}

// configuration is a collector's, as an operator writes it.
func configuration(endpoint string) string {
	return `yaml:
receivers:
  otlp:
    protocols:
      http:
        endpoint: ` + endpoint + `
exporters:
  sink:
service:
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [sink]
`
}

// collect runs the OpenTelemetry Collector until the test ends, and returns its address and what it exports.
func collect(t *testing.T) (endpoint string, exported *sink) {
	t.Helper()
	endpoint, exported = "127.0.0.1:"+freePort(t), &sink{}
	otlp := otlpreceiver.NewFactory()
	collector, err := otelcol.NewCollector(otelcol.CollectorSettings{
		BuildInfo: component.NewDefaultBuildInfo(),
		Factories: func() (otelcol.Factories, error) {
			return otelcol.Factories{
				Receivers: map[component.Type]receiver.Factory{otlp.Type(): otlp},
				Exporters: map[component.Type]exporter.Factory{sinkType: exported.factory()},
				Telemetry: telemetry.NewFactory(func() component.Config { return &struct{}{} }),
			}, nil
		},
		DisableGracefulShutdown: true,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: confmap.ResolverSettings{
			URIs:              []string{configuration(endpoint)},
			ProviderFactories: []confmap.ProviderFactory{yamlprovider.NewFactory()},
		}},
	})
	must(t, err)
	ended := make(chan error, 1)
	go func() { ended <- collector.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		collector.Shutdown()
		must(t, <-ended)
	})
	eventually(t, "the collector runs", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the collector ended: %v", err)
		default:
		}
		return collector.GetState() == otelcol.StateRunning
	})
	return endpoint, exported
}
