package certs

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// connect makes one TLS connection over loopback TCP and sends a byte each way, because in TLS 1.3 a client learns only
// by reading that its certificate was refused. It returns both ends' views.
func connect(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		done <- exchange(tls.Server(conn, server))
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, client)
	clientErr = exchange(conn)
	raw.Close()
	return conn.ConnectionState(), <-done, clientErr
}

func exchange(conn *tls.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return err
	}
	var b [1]byte
	_, err := io.ReadFull(conn, b[:])
	return err
}

func newCA(t *testing.T, name string) *CA {
	t.Helper()
	ca, err := NewCA(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func masterRequest(cluster, name string) Request {
	return Request{
		CommonName: name,
		IPs:        []net.IP{net.IPv4(127, 0, 0, 1)},
		Cluster:    cluster,
		Role:       RoleMaster,
		Name:       name,
	}
}

// install issues a certificate into dir and returns its files, with trusted's certificate as the CA.
func install(t *testing.T, dir string, issuer, trusted *CA, req Request) Files {
	t.Helper()
	cert, key, err := issuer.Issue(req)
	if err != nil {
		t.Fatal(err)
	}
	files := Files{
		Cert: filepath.Join(dir, "own.crt"),
		Key:  filepath.Join(dir, "own.key"),
		CA:   filepath.Join(dir, "ca.crt"),
	}
	if err := WritePair(files.Cert, files.Key, cert, key); err != nil {
		t.Fatal(err)
	}
	write(t, files.CA, trusted.CertPEM())
	return files
}

func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, files Files) *Store {
	t.Helper()
	s, err := Open(files, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// openLogged is open with the log of the store.
func openLogged(t *testing.T, files Files) (*Store, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s, err := Open(files, hclog.New(&hclog.LoggerOptions{Output: &log}))
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

func identityOf(t *testing.T, ca *CA, req Request) *Store {
	t.Helper()
	return open(t, install(t, t.TempDir(), ca, ca, req))
}

var errAny = errors.New("any error")

// checkErr compares an outcome with nil or errAny.
func checkErr(t *testing.T, side string, got, want error) {
	t.Helper()
	if (got == nil) != (want == nil) {
		t.Errorf("%s: got %v, want %v", side, got, want)
	}
}
