package certs

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

const day = 24 * time.Hour

// Health warns before the end.
func TestHealth_Warnings(t *testing.T) {
	ca, err := NewCA("long", 400*day)
	if err != nil {
		t.Fatal(err)
	}
	short, err := NewCA("short", 100*day)
	if err != nil {
		t.Fatal(err)
	}
	req := masterRequest("prod", "a")
	req.Lifetime = 300 * day
	files := install(t, t.TempDir(), ca, ca, req)
	write(t, files.CA, append(bytes.Clone(ca.CertPEM()), short.CertPEM()...))
	s := open(t, files)
	req.Lifetime = time.Hour
	brief := open(t, install(t, t.TempDir(), ca, ca, req))
	for _, tt := range []struct {
		name     string
		store    *Store
		in       time.Duration
		warnings []string
		fault    string
	}{
		{"far from all ends", s, 80 * day, nil, ""},
		{"an authority of two comes near its end", s, 90 * day, []string{"authority CN=short expires at"}, ""},
		{"an authority of two has expired", s, 200 * day, []string{"authority CN=short expired at"}, ""},
		{"certificate expires soon", s, 275 * day, []string{"CN=a expires at", "authority CN=short"}, ""},
		{"the certificate has expired", s, 301 * day, []string{"authority CN=short"}, "certificate CN=a expired at"},
		{"every authority has expired", s, 401 * day, nil, "authority CN=short expired at"},
		{"of a short life a sixth", brief, 48 * time.Minute, nil, ""},
		{"of a short life less than a sixth", brief, 55 * time.Minute, []string{"in 5m0s"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			warnings, err := tt.store.Health(time.Now().Add(tt.in))
			if len(warnings) != len(tt.warnings) {
				t.Fatalf("warnings %q, want %q", warnings, tt.warnings)
			}
			for i, want := range tt.warnings {
				if !strings.Contains(warnings[i], want) {
					t.Errorf("warning %q, want %q", warnings[i], want)
				}
			}
			if (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("error %v, want %q", err, tt.fault)
			}
		})
	}
}

// Collector serves what is in force.
func TestCollector(t *testing.T) {
	ca, err := NewCA("ca", 30*day)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files := install(t, dir, ca, ca, masterRequest("prod", "a"))
	var ids Identities
	api, err := ids.Open("api", files, nil)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ids.Open("peer", files, nil)
	if err != nil || peer != api {
		t.Fatalf("the same files were opened twice (%v)", err)
	}
	if _, err := ids.Open("client", Files{}, nil); err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(ids.Collector("x_"))
	values := testkit.Metrics(t, registry)
	if len(values) != 6 {
		t.Errorf("%v", values)
	}
	for _, cert := range []string{"api", "api-ca", "peer", "peer-ca"} {
		// The certificate does not outlive its authority.
		if v := values["x_certificate_expiry_seconds "+cert]; v > (30*day).Seconds() || v < (29*day).Seconds() {
			t.Errorf("%s: %v", cert, v)
		}
	}
	write(t, files.CA, []byte("no more"))
	if err := ids.Reload(); err == nil || !strings.Contains(err.Error(), files.CA) {
		t.Errorf("reload: %v", err)
	}
	if v := testkit.Metrics(t, registry)["x_certificate_last_reload_successful api"]; v != 0 {
		t.Errorf("successful: %v", v)
	}
	if warnings, err := ids.Health(); err != nil || len(warnings) != 1 ||
		!strings.Contains(warnings[0], "cannot load changed") {
		t.Errorf("health: %q, %v", warnings, err)
	}
	write(t, files.CA, ca.CertPEM())
	if err := ids.Reload(); err != nil {
		t.Fatal(err)
	}
	if v := testkit.Metrics(t, registry)["x_certificate_last_reload_successful api"]; v != 1 {
		t.Errorf("successful after repair: %v", v)
	}
}
