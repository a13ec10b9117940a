package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// authority is a CA made by openssl.
type authority struct {
	t         *testing.T
	cert, key string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	dir := t.TempDir()
	a := &authority{t: t, cert: filepath.Join(dir, "ca.crt"), key: filepath.Join(dir, "ca.key")}
	a.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN=operator's CA", "-keyout", a.key, "-out", a.cert)
	return a
}

func (a *authority) openssl(args ...string) {
	a.t.Helper()
	if out, err := exec.Command("openssl", args...).CombinedOutput(); err != nil {
		a.t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

// issue creates a certificate for 127.0.0.1, with a role if given.
func (a *authority) issue(name, role string) certs.Files {
	a.t.Helper()
	dir := a.t.TempDir()
	f := certs.Files{Cert: filepath.Join(dir, name+".crt"), Key: filepath.Join(dir, name+".key"), CA: a.cert}
	request, extensions := filepath.Join(dir, "request"), filepath.Join(dir, "extensions")
	names := "IP:127.0.0.1"
	if role != "" {
		names += ",URI:" + role
	}
	if err := os.WriteFile(extensions, []byte("subjectAltName="+names+"\n"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.openssl(
		"req",
		"-newkey",
		"ec",
		"-pkeyopt",
		"ec_paramgen_curve:P-256",
		"-nodes",
		"-subj",
		"/CN="+name,
		"-keyout",
		f.Key,
		"-out",
		request,
	)
	a.openssl(
		"x509",
		"-req",
		"-in",
		request,
		"-CA",
		a.cert,
		"-CAkey",
		a.key,
		"-CAcreateserial",
		"-days",
		"2",
		"-extfile",
		extensions,
		"-out",
		f.Cert,
	)
	return f
}

// Certificates made by openssl form a cluster; the peer port rejects everybody else.
func TestPeerPort_AcceptsMastersOnly(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	s := start(t, devcluster.Options{Masters: 3, MasterArgs: func(i int) []string {
		f := ca.issue(fmt.Sprintf("m%d", i), fmt.Sprintf("ffrtmp://studio/master/m%d", i))
		return []string{"--cluster", "studio", "--peer-cert", f.Cert, "--peer-key", f.Key, "--peer-ca", f.CA}
	}})
	s.voters(3)
	// A write to a follower crosses the peer port.
	s.wire().call(t, "POST", s.Master(s.follower()).URL()+"/jobs", `{"scenario":"360p"}`).want(t, 201)

	master := ca.issue("m9", "ffrtmp://studio/master/m9")
	tests := []struct {
		name  string
		files certs.Files
		max   uint16
		taken bool
	}{
		{name: "a master of the cluster", files: master, taken: true},
		{name: "no certificate"},
		{name: "an agent of the cluster", files: ca.issue("a1", "ffrtmp://studio/agent/a1")},
		{name: "a master of another cluster with the same CA", files: ca.issue("m1", "ffrtmp://stage/master/m1")},
		{name: "a certificate without a role", files: ca.issue("m1", "")},
		{name: "a master by another CA", files: foreign.issue("m1", "ffrtmp://studio/master/m1")},
		{name: "a master that speaks TLS 1.2 at most", files: master, max: tls.VersionTLS12},
	}
	for _, test := range tests {
		for _, protocol := range []string{"ffrtmp-raft/1", "h2"} {
			t.Run(test.name+", "+protocol, func(t *testing.T) {
				wait := patience // for the refusal
				if test.taken {
					wait = 500 * time.Millisecond
				}
				err := dialPeer(s.Master(0).PeerAddress(), ca.cert, test.files, protocol, test.max, wait)
				if taken := err == nil; taken != test.taken {
					t.Errorf("got accepted %v, want %v (%v)", taken, test.taken, err)
				}
			})
		}
	}
}

// dialPeer connects to a peer port. It returns nil if the server sends something or keeps the
// connection open for wait: with TLS 1.3 a refused client learns so only after the handshake.
func dialPeer(address, ca string, files certs.Files, protocol string, maxVersion uint16, wait time.Duration) error {
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ca)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("CA: %w", err)
	}
	config := &tls.Config{RootCAs: pool, NextProtos: []string{protocol}, MaxVersion: maxVersion}
	if files.Cert != "" {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return nil // it waits for our first byte
	}
	return err
}
