package certs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// openssl runs the real tool: other people's certificates are made by it, and it must like ours.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestOpenSSL_Made makes an authority and a master by plain openssl: no key identifiers asked for, an RSA
// authority, and the role as a URI SAN in the extension file.
func TestOpenSSL_Made(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days",
		"1", "-subj", "/CN=plain")
	write(t, filepath.Join(dir, "ext"),
		[]byte("subjectAltName=DNS:localhost,IP:127.0.0.1,URI:ffrtmp://prod/master/m1\n"))
	openssl(t, dir, "ecparam", "-name", "prime256v1", "-genkey", "-out", "m1.key")
	openssl(t, dir, "req", "-new", "-key", "m1.key", "-out", "m1.csr", "-subj", "/CN=m1")
	openssl(t, dir, "x509", "-req", "-in", "m1.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
		"1", "-extfile", "ext", "-out", "m1.crt")
	files := Files{
		Cert: filepath.Join(dir, "m1.crt"),
		Key:  filepath.Join(dir, "m1.key"),
		CA:   filepath.Join(dir, "ca.crt"),
	}
	theirs := open(t, files)

	// Their authority issues by our code too, and both meet on the peer port.
	ca, err := LoadCA(files.CA, filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	ours := identityOf(t, ca, masterRequest("prod", "m2"))
	server, _ := theirs.Peer("prod")
	_, client := ours.Peer("prod")
	_, serverErr, clientErr := connect(t, server, client)
	checkErr(t, "server", serverErr, nil)
	checkErr(t, "client", clientErr, nil)

	if _, err := LoadCA(files.Cert, files.Key); err == nil {
		t.Error("an end certificate was taken for an authority")
	}
}

// Openssl verifies ours strictly.
func TestOpenSSL_Verifies(t *testing.T) {
	ca := newCA(t, "ca")
	dir := t.TempDir()
	files := install(t, dir, ca, ca, masterRequest("prod", "a"))
	openssl(t, dir, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", files.CA, "-verify_ip", "127.0.0.1",
		files.Cert)
	openssl(t, dir, "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", files.CA, files.Cert)

	cert, key, err := SelfSigned(masterRequest("prod", "a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := WritePair(filepath.Join(dir, "self.crt"), filepath.Join(dir, "self.key"), cert, key); err != nil {
		t.Fatal(err)
	}
	openssl(t, dir, "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "self.crt", "self.crt")

	keyPEM, err := ca.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.key"), keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := LoadCA(files.CA, filepath.Join(dir, "ca.key"))
	if err != nil {
		t.Fatal(err)
	}
	if string(again.CertPEM()) != string(ca.CertPEM()) {
		t.Error("the authority's certificate changed on its way through a file")
	}
}
