package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An authority is created once, issues certificates that are valid for their hosts, and overwrites
// none without --force.
func TestCerts_InitAndIssue(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	run := func(args ...string) result { return invoke(t, nil, "", append([]string{"certs"}, args...)...) }
	if r := run("init", "--dir", dir, "--name", "Test CA"); r.code != exitDone {
		t.Fatalf("init: got code %d, %s, want %d", r.code, r.err, exitDone)
	}
	if r := run("init", "--dir", dir); r.code != exitFailed {
		t.Errorf("second init: got code %d, %s, want %d", r.code, r.out, exitFailed)
	}
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("ca.key: got %v, %v, want mode 0600", info, err)
	}
	issue := []string{
		"issue", "--dir", dir, "--role", "master", "--name", "m1", "--host", "m1.example", "--ip",
		"10.0.0.1", "--cluster", "c1", "--days", "20",
	}
	if r := run(issue...); r.code != exitDone {
		t.Fatalf("issue: got code %d, %s, want %d", r.code, r.err, exitDone)
	}
	if r := run(issue...); r.code != exitFailed {
		t.Errorf("second issue without --force: got code %d, want %d", r.code, exitFailed)
	}
	if r := run(append(issue, "--force")...); r.code != exitDone {
		t.Errorf("issue --force: got code %d, %s, want %d", r.code, r.err, exitDone)
	}

	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "m1.crt"), filepath.Join(dir, "m1.key"))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, host := range []string{"m1.example", "10.0.0.1", "localhost", "127.0.0.1", "::1"} {
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
			t.Errorf("%s: got %v, want a valid certificate", host, err)
		}
	}

	r := run("inspect", filepath.Join(dir, "m1.crt"))
	mustContain(t, "inspect", r.out, "CN=m1", "CN=Test CA", "master m1 of cluster c1", "m1.example, localhost",
		"ffrtmp://c1/master/m1", "(19 days left)")
	r = run("inspect", filepath.Join(dir, "ca.crt"), "-o", "json")
	var document struct {
		Certificates []struct {
			Subject   string    `json:"subject"`
			Authority bool      `json:"authority"`
			NotAfter  time.Time `json:"not_after"`
			DaysLeft  int       `json:"days_left"`
		} `json:"certificates"`
	}
	if err := json.Unmarshal([]byte(r.out), &document); err != nil || len(document.Certificates) != 1 ||
		!document.Certificates[0].Authority || document.Certificates[0].DaysLeft < 3600 {
		t.Errorf("got %v, %s, want one authority that is valid for years", err, r.out)
	}
	if r := run("inspect", filepath.Join(dir, "m1.key")); r.code != exitFailed {
		t.Errorf("inspect of a key: got code %d, %s, want %d", r.code, r.out, exitFailed)
	}
	if r := run("issue", "--dir", t.TempDir(), "--name", "m2"); r.code != exitFailed {
		t.Errorf("issue without an authority: got code %d, want %d", r.code, exitFailed)
	}
}
