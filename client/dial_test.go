package client_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// A client that was started with one CA accepts masters with certificates of another once its CA file contains it.
func TestDialTLS_NewCA(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	// issue gives the master a certificate of a new CA.
	issue := func(trusted bool) {
		t.Helper()
		ca, err := certs.NewCA("test", 0)
		if err != nil {
			t.Fatal(err)
		}
		cert, key, err := ca.Issue(certs.Request{CommonName: "master", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := certs.WritePair(file("master.crt"), file("master.key"), cert, key); err != nil {
			t.Fatal(err)
		}
		if trusted {
			caKey, err := ca.KeyPEM()
			if err != nil {
				t.Fatal(err)
			}
			if err := certs.WritePair(file("ca.crt"), file("ca.key"), ca.CertPEM(), caKey); err != nil {
				t.Fatal(err)
			}
		}
	}
	connect := func(trust *certs.Store) error {
		server, err := certs.Open(certs.Files{Cert: file("master.crt"), Key: file("master.key")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		master := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"nodes":[],"count":0}`)) // the client may have gone
		}))
		master.TLS = server.API(false)
		master.StartTLS()
		defer master.Close()
		c, err := client.New(client.Config{
			Masters: []string{master.URL}, APIKey: "key", DialTLS: trust.DialTLS, Patience: 1,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Nodes(context.Background())
		return err
	}

	issue(true)
	trust, err := certs.Open(certs.Files{CA: file("ca.crt")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := connect(trust); err != nil {
		t.Fatalf("first CA: got %v, want an answer", err)
	}
	issue(false)
	if err := connect(trust); err == nil {
		t.Fatal("got an answer of a master with an untrusted CA, want an error")
	}
	issue(true)
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	for err = connect(trust); err != nil; err = connect(trust) {
		if ctx.Err() != nil {
			t.Fatalf("replaced CA file: got %v, want an answer", err)
		}
	}
}

// testPatience is more than the store waits before it looks at its files again.
const testPatience = time.Minute
