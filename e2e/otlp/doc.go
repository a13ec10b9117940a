// Package otlp tests that the OpenTelemetry Collector receives the traces of the programs. It is a module of its own, so
// that the programs do not depend on the collector. Run it with make otlp.
package otlp
