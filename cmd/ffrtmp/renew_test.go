package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// pki is a directory as certs init and certs issue lay it out, with certificates
// of any lifetime.
type pki struct {
	t   *testing.T
	dir string
	ca  *certs.CA
}

func newPKI(t *testing.T, lifetime time.Duration) *pki {
	t.Helper()
	ca, err := certs.NewCA("Test CA", lifetime)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ca.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	p := &pki{t, "pki", ca} // tables show its name
	t.Chdir(t.TempDir())
	p.write("ca", ca.CertPEM(), key)
	return p
}

func (p *pki) write(name string, cert, key []byte) {
	p.t.Helper()
	if err := certs.WritePair(p.file(name+".crt"), p.file(name+".key"), cert, key); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pki) file(name string) string { return filepath.Join(p.dir, name) }

// issue makes a certificate. It is valid from five minutes ago, for clocks that lag behind.
func (p *pki) issue(ca *certs.CA, name string, lifetime time.Duration) {
	p.t.Helper()
	cert, key, err := ca.Issue(certs.Request{
		CommonName: name,
		Hosts:      []string{name + ".example", "localhost"},
		Cluster:    "c1",
		Role:       certs.RoleMaster,
		Name:       name,
		Lifetime:   lifetime,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name, cert, key)
}

func (p *pki) leaf(name string) *x509.Certificate {
	p.t.Helper()
	pair, err := tls.LoadX509KeyPair(p.file(name+".crt"), p.file(name+".key"))
	if err != nil {
		p.t.Fatal(err)
	}
	return pair.Leaf
}

func (p *pki) renew(args ...string) result {
	p.t.Helper()
	return invoke(p.t, nil, "", append([]string{"certs", "renew", "--dir", p.dir}, args...)...)
}

// mixed returns a directory with a certificate for each possible action.
func mixed(t *testing.T) *pki {
	p := newPKI(t, 0)
	other, err := certs.NewCA("Other CA", 0)
	if err != nil {
		t.Fatal(err)
	}
	p.issue(p.ca, "fresh", 90*day)
	p.issue(p.ca, "ending", time.Minute)
	p.issue(p.ca, "torn", 90*day)
	p.issue(other, "foreign", 90*day)
	key, err := os.ReadFile(p.file("fresh.key"))
	if err == nil {
		err = os.WriteFile(p.file("torn.key"), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The report of a renewal matches its golden file, and only due certificates are renewed.
func TestRenew_Golden(t *testing.T) {
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		again   bool // after a renewal
		args    []string
		renewed bool
	}{
		{"certs-renew-dry-run", false, []string{"--days", "30", "--dry-run"}, false},
		{"certs-renew", false, []string{"--days", "30"}, true},
		{"certs-renew-again", true, nil, false},
	} {
		for format, suffix := range map[string]string{"json": ".json", "table": ".txt"} {
			t.Run(c.name+suffix, func(t *testing.T) {
				p := mixed(t)
				if c.again {
					if r := p.renew("--days", "30"); r.code != exitDone {
						t.Fatalf("got exit code %d, errors %q, want %d", r.code, r.err, exitDone)
					}
				}
				before := p.leaf("ending").SerialNumber
				r := p.renew(append(c.args, "--output", format)...)
				if r.code != exitDone || r.err != "" {
					t.Fatalf("got exit code %d, errors %q, want %d", r.code, r.err, exitDone)
				}
				if changed := p.leaf("ending").SerialNumber.Cmp(before) != 0; changed != c.renewed {
					t.Errorf("got a new certificate: %v, want %v", changed, c.renewed)
				}
				t.Chdir(home)
				golden(t, c.name+suffix, r.out)
			})
		}
	}
}

// A renewed certificate keeps its contents and lifetime, with a new key and serial number.
func TestRenew_Contents(t *testing.T) {
	p := newPKI(t, 0)
	p.issue(p.ca, "ours", time.Minute)
	// One of openssl's making, with a subject and names unlike ours.
	for _, args := range [][]string{
		{
			"req", "-newkey", "rsa:2048", "-nodes", "-keyout", "theirs.key", "-out", "theirs.csr", "-subj",
			"/C=DE/O=Studio/CN=theirs",
		},
		{
			"x509", "-req", "-in", "theirs.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1",
			"-extfile", "ext", "-out", "theirs.crt",
		},
	} {
		ext := "subjectAltName=critical,DNS:m.example,IP:10.0.0.1,email:ops@example,URI:ffrtmp://prod/master/m\n" +
			"extendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
		if err := os.WriteFile(p.file("ext"), []byte(ext), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "openssl", args...)
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %q: got %v, want success\n%s", args, err, out)
		}
	}
	old := map[string]*x509.Certificate{"ours": p.leaf("ours"), "theirs": p.leaf("theirs")}
	if r := p.renew("--within", "25h"); r.code != exitDone || strings.Count(r.out, "renewed") != 2 {
		t.Fatalf("got code %d, %s, %s, want %d and 2 renewed", r.code, r.out, r.err, exitDone)
	}
	for name, before := range old {
		after := p.leaf(name) // the key fits
		if bytes.Equal(after.RawSubjectPublicKeyInfo, before.RawSubjectPublicKeyInfo) {
			t.Errorf("%s: got the old key, want a new one", name)
		}
		if !bytes.Equal(after.RawSubject, before.RawSubject) || after.KeyUsage != before.KeyUsage ||
			!reflect.DeepEqual(after.ExtKeyUsage, before.ExtKeyUsage) ||
			!reflect.DeepEqual(after.DNSNames, before.DNSNames) ||
			!reflect.DeepEqual(after.IPAddresses, before.IPAddresses) ||
			!reflect.DeepEqual(after.EmailAddresses, before.EmailAddresses) ||
			!reflect.DeepEqual(after.URIs, before.URIs) {
			t.Errorf("%s: got %v %v %v, want %v %v %v", name, after.Subject, after.DNSNames, after.URIs,
				before.Subject, before.DNSNames, before.URIs)
		}
		if after.SerialNumber.Cmp(before.SerialNumber) == 0 {
			t.Errorf("%s: got the old serial number, want a new one", name)
		}
		life := func(c *x509.Certificate) time.Duration { return c.NotAfter.Sub(c.NotBefore) }
		if d := life(after) - life(before); d > time.Second || d < -time.Second {
			t.Errorf("%s: got a lifetime of %s, want %s", name, life(after), life(before))
		}
		if info, err := os.Stat(p.file(name + ".key")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s.key: got %v, %v, want mode 0600", name, info, err)
		}
		cmd := exec.CommandContext(t.Context(), "openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile",
			"ca.crt", name+".crt")
		cmd.Dir = p.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("openssl verify: got %v, want success\n%s", err, out)
		}
	}
}

// Certificates that cannot be renewed are refused with the reason.
func TestRenew_Refused(t *testing.T) {
	p := newPKI(t, time.Hour)
	other, err := certs.NewCA("Other CA", 0)
	if err != nil {
		t.Fatal(err)
	}
	p.issue(other, "foreign", time.Minute)
	p.issue(p.ca, "last", 2*time.Hour) // and so as long as the authority
	if err := os.WriteFile(p.file("junk.crt"), []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := p.renew("--within", "90m")
	if r.code != exitFailed {
		t.Errorf("got exit code %d, want %d", r.code, exitFailed)
	}
	mustContain(t, "the table", r.out, "issued by another authority", "the authority expires no later",
		"no certificate found")
	mustContain(t, "the errors", r.err, "3 certificates could not be renewed",
		"warning: the authority pki/ca.crt expires at")

	// ca.crt may list several authorities; the first is this one.
	both := append(p.ca.CertPEM(), other.CertPEM()...)
	if err := os.WriteFile(p.file("ca.crt"), both, 0o600); err != nil {
		t.Fatal(err)
	}
	// --force reissues certificates of another authority, for a change of authorities.
	if r := p.renew("--force", p.file("foreign.crt")); r.code != exitDone || !p.ca.Issued(p.leaf("foreign")) {
		t.Errorf("--force: got code %d, %s, %s, want a certificate of this authority", r.code, r.out, r.err)
	}
	if r := p.renew(p.file("foreign.key")); r.code != exitFailed || !strings.Contains(r.out, "does not end in .crt") {
		t.Errorf("renew of a key file: got code %d, %s, want %d", r.code, r.out, exitFailed)
	}
	if r := p.renew("--within", "-1h"); r.code != exitUsage {
		t.Errorf("--within -1h: got code %d, want %d", r.code, exitUsage)
	}
	if err := os.Remove(p.file("ca.key")); err != nil {
		t.Fatal(err)
	}
	if r := p.renew(); r.code != exitFailed || !strings.Contains(r.err, "where the authority's key is") {
		t.Errorf("without the authority's key: got code %d, %s, want %d", r.code, r.err, exitFailed)
	}
}
