package main

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Every wrong way to reach a master has a hint on what to do.
func TestHint(t *testing.T) {
	dir := t.TempDir()
	ca, err := certs.NewCA("test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(dir, "ca.crt")
	if err := os.WriteFile(caFile, ca.CertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	serve := func(host string, lifetime time.Duration, demand tls.ClientAuthType) string {
		t.Helper()
		certPEM, keyPEM, err := ca.Issue(certs.Request{
			CommonName: "test", Hosts: strings.Fields(host), Lifetime: lifetime,
		})
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: demand}
		server.StartTLS()
		t.Cleanup(server.Close)
		return "https://localhost" + server.URL[len("https://127.0.0.1"):]
	}
	good, other := serve("localhost", time.Hour, tls.NoClientCert), serve("other", time.Hour, tls.NoClientCert)
	expired, mutual := serve("localhost", time.Nanosecond, tls.NoClientCert), serve("localhost", time.Hour,
		tls.RequireAnyClientCert)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for _, c := range []struct {
		name, master, ca string
		want             []string
	}{
		{
			"no authority", good, "",
			[]string{"unknown CA: set --ca FILE to the masters' CA, or to a single master's own certificate"},
		},
		{"wrong authority", newFakeMaster(t).server.URL, caFile, []string{"not issued by the CA in " + caFile}},
		{"no host", serve("", time.Hour, tls.NoClientCert), caFile, []string{"names no host", "subjectAltName"}},
		{"other host", other, caFile, []string{"is for another host", other}},
		{"expired", expired, caFile, []string{"has expired", "ffrtmp certs inspect"}},
		{"client certificate", mutual, caFile, []string{"set --cert and --key"}},
		{"https to http", "https" + plain.URL[len("http"):], caFile, []string{"use http:// in --master"}},
		{"http to https", "http" + good[len("https"):], caFile, []string{"use https:// in --master"}},
		{
			"no master's port", plain.URL, caFile,
			[]string{"HTTP 404", "not the API of a master: check " + plain.URL + "."},
		},
		{"unknown host", "https://no-such-host.invalid", caFile, []string{"gave up after 2s", "check --master"}},
		{
			"nobody", "https://127.0.0.1:1,https://127.0.0.2:1", caFile,
			[]string{
				"https://127.0.0.1:1", "https://127.0.0.2:1", ": connect: connection refused (",
				"Check that a master runs at https://127.0.0.1:1, https://127.0.0.2:1",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := invoke(t, []string{"MASTER_API_KEY=k"}, "", "nodes", "list", "--master", c.master, "--ca", c.ca)
			if r.code != exitFailed {
				t.Errorf("got exit code %d, want %d", r.code, exitFailed)
			}
			mustContain(t, "the error", r.err, append(c.want, "list nodes: ")...)
		})
	}
}

// A master that does not answer in time is not said not to run: the hint names what shows why.
func TestHint_Silent(t *testing.T) {
	t.Parallel()
	fake := newFakeMaster(t)
	fake.handle("GET /nodes", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := invoke(t, []string{"MASTER_URL=" + fake.server.URL, "FFRTMP_CA=" + fake.ca}, "", "nodes", "list",
		"--timeout", "200ms")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the error", r.err, "did not answer in time: see ffrtmp cluster status", "--stale")
}
