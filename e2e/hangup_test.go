package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// SIGHUP reloads the API key and certificates of a master and an agent.
func TestReload_OnHangup(t *testing.T) {
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "api.key")
	give := func(key string) {
		t.Helper()
		if err := os.WriteFile(keyFile, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	give("the-old-key")
	m := launchMaster(t, dir, "--api-key-file", keyFile)
	m.key = "the-old-key"
	agentMetrics := freePort(t)
	giveTrial(t, filepath.Join(dir, "agent-state"))
	agent := launch(t, dir, nil, "agent", "--master", m.url, "--ca", "certs/master.crt", "--api-key-file", keyFile,
		"--metrics-port", agentMetrics, "--heartbeat-interval", "1s")
	testkit.Eventually(t, "the agent is ready", func() bool {
		r, err := m.send(t.Context(), "GET", "http://127.0.0.1:"+agentMetrics+"/ready", "")
		return err == nil && r.status == http.StatusOK
	})
	before := served(t, m)

	give("the-new-key")
	renewed := launch(t, dir, nil, "master", "--generate-cert", "--force",
		"--cert", "certs/master.crt", "--key", "certs/master.key")
	if status := renewed.status(t); status != 0 {
		t.Fatalf("--generate-cert: got status %d, want 0", status)
	}
	for _, p := range []*program{agent, m.program} {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	m.http = trusting(t, filepath.Join(dir, "certs", "master.crt"))
	m.key = "the-new-key"
	testkit.Eventually(t, "the new key opens the new certificate's master", func() bool {
		r, err := m.send(t.Context(), "GET", m.url+"/jobs", "")
		return err == nil && r.status == http.StatusOK
	})
	if served(t, m) == before {
		t.Error("got the old certificate, want the new one")
	}
	m.key = "the-old-key"
	m.call(t, "GET", m.url+"/jobs", "").want(t, 401)
	m.key = "the-new-key"

	// The agent claims a job, which needs the new key.
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"360p","parameters":{"duration":1,"output_mode":"null"}}`).
		want(t, 201)
	testkit.Eventually(t, "the job is completed", func() bool {
		return strings.Contains(string(m.call(t, "GET", m.url+"/jobs/1", "").body), `"status":"completed"`)
	})

	// Unusable files change nothing.
	give("")
	if err := os.WriteFile(filepath.Join(dir, "certs", "master.crt"), []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*program{agent, m.program} {
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []*program{m.program, agent} {
		testkit.Eventually(t, "the log reports both faults", func() bool {
			text := p.output.String()
			return strings.Contains(text, "keeping the old ones") && strings.Contains(text, "empty") &&
				strings.Contains(text, "keeping the old one")
		})
	}
	m.call(t, "GET", m.url+"/jobs", "").want(t, 200)
	testkit.Eventually(t, "the metric shows the fault", func() bool {
		r, err := m.send(t.Context(), "GET", "http://127.0.0.1:"+m.met+"/metrics", "")
		return err == nil &&
			strings.Contains(string(r.body), `ffmpeg_master_certificate_last_reload_successful{cert="api"} 0`)
	})
	if ready := m.call(t, "GET", m.url+"/health/ready", "").want(t, 200); !strings.Contains(
		string(ready.body),
		"cannot load changed certificate files",
	) {
		t.Errorf("got readiness %s, want a warning", ready.body)
	}
}

// served returns the serial number of the certificate on a new connection.
func served(t *testing.T, m *single) string {
	t.Helper()
	fresh := &http.Client{Transport: as[*http.Transport](t, m.http.Transport).Clone()}
	defer fresh.CloseIdleConnections()
	r, err := fresh.Get(m.url + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.TLS.PeerCertificates[0].SerialNumber.String()
}
