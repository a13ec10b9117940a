package master

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A certificate is made only where neither it nor its key exists.
func TestEnsureCertificate(t *testing.T) {
	dir := t.TempDir()
	c := Config{Files: Files{Cert: filepath.Join(dir, "certs", "a.crt"), Key: filepath.Join(dir, "certs", "a.key")}}
	if made, err := ensureCertificate(c); !made || err != nil {
		t.Fatal(made, err)
	}
	before, err := os.ReadFile(c.Files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := ensureCertificate(c); made || err != nil {
		t.Error(made, err)
	}
	if after, err := os.ReadFile(c.Files.Cert); err != nil || !bytes.Equal(before, after) {
		t.Error("the certificate was replaced")
	}
	if err := os.Remove(c.Files.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := ensureCertificate(c); err == nil || !strings.Contains(err.Error(), "key "+c.Files.Key) {
		t.Errorf("a certificate without its key: %v", err)
	}
}
