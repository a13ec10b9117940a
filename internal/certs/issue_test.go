package certs

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Certificates always carry usage and identifiers.
func TestIssue_UsageAndIdentifiers(t *testing.T) {
	ca := newCA(t, "same name")
	req := Request{CommonName: "same name", Hosts: []string{"a.example", "::1"}, Lifetime: time.Hour}
	issued, _, err := ca.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	self, _, err := SelfSigned(req)
	if err != nil {
		t.Fatal(err)
	}
	for name, cert := range map[string]*x509.Certificate{
		"authority": parse(t, ca.CertPEM()), "issued": parse(t, issued), "self-signed": parse(t, self),
	} {
		if cert.KeyUsage == 0 || len(cert.SubjectKeyId) == 0 || len(cert.AuthorityKeyId) == 0 {
			t.Errorf("%s: usage %b, subject key %x, authority key %x", name, cert.KeyUsage, cert.SubjectKeyId,
				cert.AuthorityKeyId)
		}
	}
	leaf := parse(t, issued)
	if leaf.IsCA || parse(t, self).IsCA {
		t.Error("an end certificate is an authority")
	}
	if !cmp.Equal(leaf.DNSNames, []string{"a.example"}) || len(leaf.IPAddresses) != 1 ||
		!leaf.IPAddresses[0].Equal(net.IPv6loopback) {
		t.Errorf("names %v, addresses %v", leaf.DNSNames, leaf.IPAddresses)
	}
	if left := time.Until(leaf.NotAfter); left > time.Hour || left < 59*time.Minute {
		t.Errorf("valid for %s, want an hour", left)
	}
}

// Issued certificate does not outlive its authority.
func TestIssue_Lifetime(t *testing.T) {
	ca, err := NewCA("ca", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, err := ca.Issue(Request{CommonName: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := parse(t, cert).NotAfter, parse(t, ca.CertPEM()).NotAfter; !got.Equal(want) {
		t.Errorf("ends %s, authority ends %s", got, want)
	}
}

// Requests refused.
func TestIssue_Refused(t *testing.T) {
	for name, req := range map[string]Request{
		"no common name":    {},
		"negative lifetime": {CommonName: "x", Lifetime: -1},
		"unknown role":      {CommonName: "x", Cluster: "c", Role: "king", Name: "n"},
		"no cluster":        {CommonName: "x", Role: RoleMaster, Name: "n"},
		"no name":           {CommonName: "x", Cluster: "c", Role: RoleMaster},
		"slash in name":     {CommonName: "x", Cluster: "c", Role: RoleMaster, Name: "n/agent"},
		"slash in cluster":  {CommonName: "x", Cluster: "c/master/n", Role: RoleAgent, Name: "n"},
		"port in cluster":   {CommonName: "x", Cluster: "c:1", Role: RoleAgent, Name: "n"},
		"user in cluster":   {CommonName: "x", Cluster: "u@c", Role: RoleAgent, Name: "n"},
		"space in cluster":  {CommonName: "x", Cluster: "a b", Role: RoleAgent, Name: "n"},
		"empty DNS label":   {CommonName: "x", Cluster: "a..b", Role: RoleAgent, Name: "n"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := SelfSigned(req); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// Write pair modes.
func TestWritePair_Modes(t *testing.T) {
	ca := newCA(t, "ca")
	cert, key, err := ca.Issue(Request{CommonName: "x"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "certs")
	certFile, keyFile := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	for range 2 { // the second time over the first
		if err := WritePair(certFile, keyFile, cert, key); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, keyFile: 0o600, certFile: 0o644} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", name, info.Mode(), want)
		}
	}
	checkFiles(t, dir, 2)
}

func checkFiles(t *testing.T, dir string, want int) {
	t.Helper()
	if files, err := os.ReadDir(dir); err != nil || len(files) != want {
		t.Errorf("got files %v (%v), want %d", files, err, want)
	}
}

// Write pair cleans up when it fails.
func TestWritePair_Failure(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := WritePair(filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key"), []byte("c"), []byte("k"))
	if err == nil {
		t.Fatal("a directory was replaced by a key")
	}
	checkFiles(t, dir, 1)
}

func TestInspect(t *testing.T) {
	ca := newCA(t, "ca")
	cert, key, err := ca.Issue(masterRequest("prod", "a"))
	if err != nil {
		t.Fatal(err)
	}
	infos, err := Inspect(append(append(key, cert...), ca.CertPEM()...))
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) != 2 {
		t.Fatalf("%d certificates, want 2", len(infos))
	}
	leaf := infos[0]
	if leaf.Cluster != "prod" || leaf.Role != RoleMaster || leaf.Name != "a" || leaf.Authority ||
		leaf.Subject != "CN=a" || leaf.Issuer != "CN=ca" || !cmp.Equal(leaf.URIs, []string{"ffrtmp://prod/master/a"}) {
		t.Errorf("%+v", leaf)
	}
	if !infos[1].Authority || infos[1].Role != "" {
		t.Errorf("%+v", infos[1])
	}
	if _, err := Inspect(key[:10]); err == nil {
		t.Error("data without a certificate was accepted")
	}
}
