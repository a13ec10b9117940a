package flags

import (
	"context"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"github.com/ffrtmp/ffrtmp/internal/tracing"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

// Tracing is what a command line says of traces.
type Tracing struct{ endpoint string }

// Register adds --tracing-endpoint.
func (t *Tracing) Register(fs *pflag.FlagSet) {
	fs.StringVar(&t.endpoint, "tracing-endpoint", "",
		"OTLP/HTTP collector for traces, such as http://collector:4318, or host:port (default no traces)")
}

// Endpoint is the URL, "" for no traces.
func (t *Tracing) Endpoint() string { return t.endpoint }

// Check refuses a value that cannot work.
func (t *Tracing) Check() error {
	if t.endpoint == "" {
		return nil
	}
	if err := tracing.CheckEndpoint(t.endpoint); err != nil {
		return Usagef("--tracing-endpoint: %v", err)
	}
	return nil
}

// Open returns the tracer that the flag asks for, nil for none.
func (t *Tracing) Open(ctx context.Context, service, instance string, logger hclog.Logger) (*tracing.Tracer, error) {
	return tracing.Open(ctx, tracing.Config{
		Endpoint: t.endpoint, Service: service, Instance: instance, Version: version.Version,
		Logger: logger.Named("tracing"),
	})
}
