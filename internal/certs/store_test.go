package certs

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// Store follows its files.
func TestStore_FollowsFiles(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "ca")
	req := masterRequest("prod", "a")
	req.CommonName = "first"
	dir := t.TempDir()
	own := open(t, install(t, dir, ca, ca, req))
	server := own.API(false)
	peerServer, peerClient := own.Peer("prod")

	req.CommonName = "second"
	install(t, dir, ca, ca, req)
	served := func() string {
		client := own.Client()
		client.ServerName = "127.0.0.1"
		state, _, err := connect(t, server, client)
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	testkit.Eventually(t, "new certificate on the API port", func() bool { return served() == "second" })
	if got := own.Leaf().Subject.CommonName; got != "second" {
		t.Errorf("leaf %q", got)
	}

	// A new authority, with the certificates following one after the other.
	next := newCA(t, "next")
	nextMaster := identityOf(t, next, masterRequest("prod", "b"))
	nextServer, nextClient := nextMaster.Peer("prod")
	nextClient.VerifyConnection = nil // so that only the own side decides
	if _, serverErr, _ := connect(t, peerServer, nextClient); serverErr == nil {
		t.Fatal("a master of an authority not yet trusted was let in")
	}
	write(t, own.files.CA, append(bytes.Clone(ca.CertPEM()), next.CertPEM()...))
	testkit.Eventually(t, "new authority on the peer port's server side", func() bool {
		_, serverErr, _ := connect(t, peerServer, nextClient)
		return serverErr == nil
	})
	nextServer.VerifyConnection = nil
	if _, _, clientErr := connect(t, nextServer, peerClient); clientErr != nil {
		t.Errorf("new authority on the peer port's client side: %v", clientErr)
	}
	write(t, own.files.CA, ca.CertPEM())
	testkit.Eventually(t, "authority taken away", func() bool {
		_, serverErr, _ := connect(t, peerServer, nextClient)
		return serverErr != nil
	})
}

// Dial TLS follows the CA.
func TestDialTLS_FollowsCA(t *testing.T) {
	t.Parallel()
	ca, next := newCA(t, "ca"), newCA(t, "next")
	client := open(t, install(t, t.TempDir(), ca, ca, Request{CommonName: "client"}))
	server := identityOf(t, next, Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server.API(false))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if secure, ok := conn.(*tls.Conn); ok {
				_ = secure.HandshakeContext(t.Context())
			}
			_ = conn.Close()
		}
	}()
	defer func() { _ = ln.Close(); <-done }()
	dial := func() error {
		conn, err := client.DialTLS(t.Context(), "tcp", ln.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	if err := dial(); err == nil {
		t.Fatal("a server of an authority not yet trusted was accepted")
	}
	write(t, client.files.CA, next.CertPEM())
	testkit.Eventually(t, "new authority", func() bool { return dial() == nil })
}

// Store keeps the old files when the new are bad.
func TestStore_BadFiles(t *testing.T) {
	ca := newCA(t, "ca")
	otherCert, _, err := ca.Issue(Request{CommonName: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(Files) error{
		"not PEM":            func(f Files) error { return os.WriteFile(f.Cert, []byte("half a certif"), 0o600) },
		"key does not match": func(f Files) error { return os.WriteFile(f.Cert, otherCert, 0o600) },
		"key gone":           func(f Files) error { return os.Remove(f.Key) },
		"CA empty":           func(f Files) error { return os.WriteFile(f.CA, nil, 0o600) },
		"CA cut short": func(f Files) error {
			bad := "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
			return os.WriteFile(f.CA, append(ca.CertPEM(), bad...), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files := install(t, dir, ca, ca, masterRequest("prod", "a"))
			own, log := openLogged(t, files)
			if err := spoil(files); err != nil {
				t.Fatal(err)
			}
			testkit.Eventually(t, "complaint in the log", func() bool { own.Leaf(); return log.Len() > 0 })
			if !strings.Contains(log.String(), "keeping the old ones") {
				t.Errorf("log: %s", log.String())
			}
			if err := own.Err(); err == nil {
				t.Error("the store finds its files usable")
			}
			server, client := own.Peer("prod")
			if _, serverErr, clientErr := connect(t, server, client); serverErr != nil || clientErr != nil {
				t.Errorf("the old files are no longer in force: server %v, client %v", serverErr, clientErr)
			}
			req := masterRequest("prod", "repaired")
			install(t, dir, ca, ca, req)
			testkit.Eventually(t, "repaired files in force",
				func() bool { return own.Leaf().Subject.CommonName == "repaired" })
			if err := own.Err(); err != nil || strings.Count(log.String(), "\n") != 2 {
				t.Errorf("%v after the repair; log: %s", err, log.String())
			}
		})
	}
}

// TestStore_LinkedDirectory replaces all files at once, as Kubernetes does.
func TestStore_LinkedDirectory(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "ca")
	dir := t.TempDir()
	version := func(name string) string {
		own := filepath.Join(dir, name)
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		install(t, own, ca, ca, masterRequest("prod", name))
		link := filepath.Join(dir, name+".link")
		if err := os.Symlink(name, link); err != nil {
			t.Fatal(err)
		}
		return link
	}
	current := filepath.Join(dir, "current")
	if err := os.Rename(version("first"), current); err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(current, name) }
	own := open(t, Files{Cert: at("own.crt"), Key: at("own.key"), CA: at("ca.crt")})
	if err := os.Rename(version("second"), current); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the second version in force",
		func() bool { return own.Leaf().Subject.CommonName == "second" })
}

// TestStore_BetweenRenames stops half-way through the replacement of a pair.
func TestStore_BetweenRenames(t *testing.T) {
	t.Parallel()
	ca := newCA(t, "ca")
	dir := t.TempDir()
	files := install(t, dir, ca, ca, masterRequest("prod", "first"))
	own, log := openLogged(t, files)
	cert, key, err := ca.Issue(masterRequest("prod", "second"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.Key, key)
	testkit.Eventually(t, "a look at the half of it", func() bool {
		own.Leaf()
		own.mu.Lock()
		defer own.mu.Unlock()
		return own.bad != nil
	})
	if err := own.Err(); err != nil || log.Len() > 0 || own.Leaf().Subject.CommonName != "first" {
		t.Errorf("%v; log: %s", err, log.String())
	}
	write(t, files.Cert, cert)
	testkit.Eventually(t, "the second pair in force", func() bool { return own.Leaf().Subject.CommonName == "second" })
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("log: %s", log.String())
	}
}

// TestStore_AuthorityRemoved: its clients stay as long as their connections do, and get no new ones.
func TestStore_AuthorityRemoved(t *testing.T) {
	ca, gone := newCA(t, "ca"), newCA(t, "gone")
	files := install(t, t.TempDir(), ca, ca, Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	write(t, files.CA, append(bytes.Clone(ca.CertPEM()), gone.CertPEM()...))
	own := open(t, files)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS, server.EnableHTTP2 = own.API(true), true
	server.StartTLS()
	defer server.Close()
	client := open(t, install(t, t.TempDir(), gone, ca, Request{CommonName: "client"}))
	cfg := client.Client()
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	get := func(transport *http.Transport) error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			return err
		}
		resp, err := transport.RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	old := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	defer old.CloseIdleConnections()
	if err := get(old); err != nil {
		t.Fatal(err)
	}
	write(t, files.CA, ca.CertPEM())
	if err := own.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := get(old); err != nil {
		t.Errorf("the connection was dropped: %v", err)
	}
	fresh := old.Clone()
	defer fresh.CloseIdleConnections()
	if err := get(fresh); err == nil {
		t.Error("a new connection was accepted")
	}
}

// Open refuses bad files.
func TestOpen_BadFiles(t *testing.T) {
	good := install(t, t.TempDir(), newCA(t, "ca"), newCA(t, "ca"), Request{CommonName: "x"})
	junk := filepath.Join(t.TempDir(), "junk")
	write(t, junk, []byte("junk"))
	for name, files := range map[string]Files{
		"certificate without key": {Cert: good.Cert},
		"key without certificate": {Key: good.Key},
		"no such certificate":     {Cert: good.Cert + "x", Key: good.Key},
		"CA is no PEM":            {CA: junk},
		"no such CA":              {CA: junk + "x"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(files, nil); err == nil {
				t.Error("accepted")
			}
		})
	}
}
