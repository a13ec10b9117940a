package agent

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// An expiring certificate shows in readiness and metrics.
func TestReady_Certificate(t *testing.T) {
	ca, err := certs.NewCA("ca", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name              string
		lifetime          time.Duration
		warnings, reasons string
	}{
		// Its life began five minutes ago, for the sake of clocks that lag behind.
		{"an hour left", time.Hour, "", ""},
		{"less than a minute left", 55 * time.Second, "certificate CN=a expires at", ""},
		{"expired", time.Nanosecond, "", "certificate CN=a expired at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cert, key, err := ca.Issue(certs.Request{
				CommonName: "a", IPs: []net.IP{net.IPv4(127, 0, 0, 1)},
				Lifetime: tt.lifetime,
			})
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			files := certs.Files{Cert: filepath.Join(dir, "agent.crt"), Key: filepath.Join(dir, "agent.key")}
			if err := certs.WritePair(files.Cert, files.Key, cert, key); err != nil {
				t.Fatal(err)
			}
			identities := &certs.Identities{}
			if _, err := identities.Open("client", files, nil); err != nil {
				t.Fatal(err)
			}
			a, err := New(Config{
				Masters: []string{"https://127.0.0.1:1"}, StateDir: t.TempDir(),
				MediaRoots: []string{dir}, Identities: identities,
			})
			if err != nil {
				t.Fatal(err)
			}
			get := func(path string) string {
				w := httptest.NewRecorder()
				a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
				return w.Body.String()
			}
			var h ffrtmp.Health
			if err := json.Unmarshal([]byte(get("/ready")), &h); err != nil {
				t.Fatal(err)
			}
			if warnings := strings.Join(h.Warnings, ";"); (warnings == "") != (tt.warnings == "") ||
				!strings.Contains(warnings, tt.warnings) {
				t.Errorf("got warnings %q, want %q", warnings, tt.warnings)
			}
			reasons := strings.Join(h.Reasons, ";") // it is not registered either
			if strings.Contains(reasons, "certificate") != (tt.reasons != "") ||
				!strings.Contains(reasons, tt.reasons) {
				t.Errorf("got reasons %q, want %q", reasons, tt.reasons)
			}
			metric := `ffmpeg_agent_certificate_expiry_seconds{cert="client"}`
			if body := get("/metrics"); !strings.Contains(body, metric) {
				t.Errorf("got metrics without %s, want it", metric)
			}
		})
	}
}
