package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/flags/flagstest"
)

// generate runs master --generate-cert and returns the certificate.
func generate(t *testing.T, args ...string) *x509.Certificate {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(context.Background(), flags.Process{
		Args: append([]string{"--generate-cert"}, args...), Lookup: flagstest.Environment(nil),
		Stdout: &stdout, Stderr: &stderr,
	})
	if status != 0 {
		t.Fatalf("got status %d, want 0: %s", status, &stderr)
	}
	if got := stdout.String(); got != "wrote certs/master.crt and certs/master.key\n" {
		t.Errorf("got stdout %q, want the names of both files", got)
	}
	for name, want := range map[string]os.FileMode{"certs/master.key": 0o600, "certs/master.crt": 0o644} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: got %v, %v, want mode %v", name, info, err, want)
		}
	}
	pair, err := tls.LoadX509KeyPair("certs/master.crt", "certs/master.key")
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).CombinedOutput()
	if err != nil {
		t.Errorf("openssl %q: got %v, want success\n%s", args, err, out)
	}
	return string(out)
}

// verify checks certs/master.crt for a purpose, against the certificates in ca.
func verify(t *testing.T, purpose, ca string, args ...string) {
	t.Helper()
	args = append([]string{"verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca}, args...)
	openssl(t, append(args, "certs/master.crt")...)
}

// Without a CA, the certificate signs itself.
func TestGenerateCert_SelfSigned(t *testing.T) {
	t.Chdir(t.TempDir())
	leaf := generate(t)
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("got key %T, want ECDSA P-256", leaf.PublicKey)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{host, "localhost", "127.0.0.1", "::1"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if prefix, ok := a.(*net.IPNet); ok && prefix.IP.IsGlobalUnicast() {
			names = append(names, prefix.IP.String())
		}
	}
	for _, name := range names {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if len(leaf.URIs) > 0 || leaf.IsCA {
		t.Errorf("got URIs %v, CA %v, want neither", leaf.URIs, leaf.IsCA)
	}
	verify(t, "sslserver", "certs/master.crt", "-verify_hostname", "localhost", "-verify_ip", "127.0.0.1")
}

// An existing certificate or key is replaced only with --force.
func TestGenerateCert_Exists(t *testing.T) {
	t.Chdir(t.TempDir())
	first := generate(t)
	for _, gone := range []string{"", "certs/master.key"} {
		if gone != "" {
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.ReadFile("certs/master.crt")
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		status := run(context.Background(), flags.Process{
			Args: []string{"--generate-cert"}, Lookup: flagstest.Environment(nil), Stdout: &stderr, Stderr: &stderr,
		})
		if status != 1 || !strings.Contains(stderr.String(), "certs/master.crt") ||
			!strings.Contains(stderr.String(), "--force") {
			t.Errorf("got status %d, want 1 and the file and --force: %s", status, &stderr)
		}
		if after, err := os.ReadFile("certs/master.crt"); err != nil || !bytes.Equal(before, after) {
			t.Errorf("got another certificate (%v), want the same", err)
		}
	}
	if again := generate(t, "--force"); again.Equal(first) {
		t.Error("--force: got the same certificate, want a new one")
	}
}

// With --ca and --ca-key, the CA signs the certificate.
func TestGenerateCert_Signed(t *testing.T) {
	t.Chdir(t.TempDir())
	openssl(t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "2",
		"-subj", "/CN=CA", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", "ca.key", "-out", "ca.crt")
	leaf := generate(t, "--ca=ca.crt", "--ca-key=ca.key", "--cert-hosts=m1.example,m1", "--cert-ips=10.1.2.3,fd00::1",
		"--cert-role=master", "--cluster=studio", "--advertise=m1.example")
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != "ffrtmp://studio/master/master" {
		t.Errorf("got URIs %v, want the role of a master of studio", leaf.URIs)
	}
	if n := strings.Count(strings.Join(leaf.DNSNames, " ")+" ", "m1.example "); n != 1 {
		t.Errorf("got names %q, want m1.example once", leaf.DNSNames)
	}
	for _, name := range []string{"m1.example", "m1", "localhost", "10.1.2.3", "fd00::1"} {
		if err := leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	verify(t, "sslserver", "ca.crt", "-verify_hostname", "m1.example")
	verify(t, "sslclient", "ca.crt", "-verify_ip", "10.1.2.3")
	text := openssl(t, "x509", "-noout", "-text", "-in", "certs/master.crt")
	for _, want := range []string{
		"prime256v1", "Digital Signature", "Subject Key Identifier", "Authority Key Identifier",
		"TLS Web Server Authentication, TLS Web Client Authentication",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got this from openssl, want %q in it:\n%s", want, text)
		}
	}
}
