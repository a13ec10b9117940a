package otlp

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

const (
	key      = "a-key-for-tests"
	patience = 5 * time.Minute
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// program is one of the programs in $BIN, with its output.
func program(ctx context.Context, dir, name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, filepath.Join(os.Getenv("BIN"), name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "MASTER_API_KEY="+key, "OTEL_BSP_SCHEDULE_DELAY=50")
	output := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = output, output
	return cmd, output
}

// background runs a program until the test ends.
func background(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	cmd, output := program(ctx, t.TempDir(), name, args...)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was asked to stop
		if t.Failed() {
			t.Logf("%s:\n%s", name, output)
		}
	})
}

// eventually waits until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick, end := time.NewTicker(100*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// spans returns the spans of the trace that the command line began, each with its service in front.
func spans(exported *sink) []string {
	byTrace := map[[16]byte][]string{}
	var wanted [16]byte
	for _, traces := range exported.AllTraces() {
		for _, resource := range traces.ResourceSpans().All() {
			service, _ := resource.Resource().Attributes().Get("service.name")
			for _, scope := range resource.ScopeSpans().All() {
				for _, span := range scope.Spans().All() {
					id := [16]byte(span.TraceID())
					byTrace[id] = append(byTrace[id], service.Str()+" "+span.Name())
					if span.Name() == "ffrtmp jobs submit" {
						wanted = id
					}
				}
			}
		}
	}
	return byTrace[wanted]
}

// One trace leads from the command line through a master to ffmpeg, as the collector exports it.
func TestOTLP_Collector(t *testing.T) {
	if os.Getenv("BIN") == "" {
		t.Fatal("BIN is not set: run make otlp")
	}
	endpoint, exported := collect(t)
	port := freePort(t)
	url := "http://127.0.0.1:" + port
	background(t, "master", "--tls=false", "--bind", "127.0.0.1", "--port", port, "--metrics=false", "--db", "",
		"--tracing-endpoint", "http://"+endpoint)
	eventually(t, "the master is ready", func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/health/ready", nil)
		must(t, err)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	background(t, "agent", "--master", url, "--metrics-port", freePort(t), "--state-dir", t.TempDir(),
		"--media-root", t.TempDir(), "--tracing-endpoint", "http://"+endpoint)
	submit, output := program(t.Context(), t.TempDir(), "ffrtmp", "--master", url, "--tracing-endpoint",
		"http://"+endpoint, "jobs", "submit", "--scenario", "360p-h264", "--duration", "1")
	if err := submit.Run(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	want := []string{"ffrtmp ffrtmp jobs submit", "ffrtmp-master POST /jobs", "ffrtmp-agent encode"}
	eventually(t, "the spans of all programs arrive", func() bool {
		got := spans(exported)
		return !slices.ContainsFunc(want, func(span string) bool { return !slices.Contains(got, span) })
	})
}
