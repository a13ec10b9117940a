package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Peer accepts masters of its cluster.
func TestPeer_Accepts(t *testing.T) {
	ca := newCA(t, "ca")
	a, b := identityOf(t, ca, masterRequest("prod", "a")), identityOf(t, ca, masterRequest("prod", "b"))
	server, _ := a.Peer("prod")
	_, client := b.Peer("prod")
	client.ServerName, client.SessionTicketsDisabled = "peer", false // a name to remember a session by
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		state, serverErr, clientErr := connect(t, server, client)
		if serverErr != nil || clientErr != nil {
			t.Fatalf("server: %v, client: %v", serverErr, clientErr)
		}
		if state.Version != tls.VersionTLS13 {
			t.Errorf("version %x", state.Version)
		}
		if state.DidResume {
			t.Error("a peer connection was resumed instead of verified")
		}
	}
}

// Peer refuses everybody else.
func TestPeer_Refuses(t *testing.T) {
	ca, other := newCA(t, "ca"), newCA(t, "ca")
	own := identityOf(t, ca, masterRequest("prod", "a"))
	agent := masterRequest("prod", "x")
	agent.Role = RoleAgent
	plain := Request{CommonName: "x", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
	for _, tt := range []struct {
		name     string
		stranger *Store
		mentions string
	}{
		{"an agent's certificate", identityOf(t, ca, agent), "agent/x"},
		{"another cluster's certificate", identityOf(t, ca, masterRequest("test", "b")), "test/master/b"},
		{"a certificate without a role", identityOf(t, ca, plain), "no role"},
		{
			"another authority of the same name",
			open(t, install(t, t.TempDir(), other, ca, masterRequest("prod", "b"))), "unknown authority",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The stranger's own checks are off, so that only ours can refuse.
			t.Run("as client", func(t *testing.T) {
				server, _ := own.Peer("prod")
				client := &tls.Config{InsecureSkipVerify: true, GetClientCertificate: tt.stranger.clientCertificate}
				_, serverErr, clientErr := connect(t, server, client)
				checkErr(t, "client", clientErr, errAny)
				if serverErr == nil || !strings.Contains(serverErr.Error(), tt.mentions) {
					t.Errorf("server: %v, want it to mention %q", serverErr, tt.mentions)
				}
			})
			t.Run("as server", func(t *testing.T) {
				_, client := own.Peer("prod")
				server := &tls.Config{Certificates: []tls.Certificate{*tt.stranger.current().cert}}
				_, _, clientErr := connect(t, server, client)
				if clientErr == nil || !strings.Contains(clientErr.Error(), tt.mentions) {
					t.Errorf("client: %v, want it to mention %q", clientErr, tt.mentions)
				}
			})
		})
	}
}

// Peer refuses no certificate and old TLS.
func TestPeer_NoCertificate(t *testing.T) {
	ca := newCA(t, "ca")
	own := identityOf(t, ca, masterRequest("prod", "a"))
	server, _ := own.Peer("prod")
	for name, client := range map[string]*tls.Config{
		"no certificate": {InsecureSkipVerify: true},
		"TLS 1.2": {
			InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, GetClientCertificate: own.clientCertificate,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, serverErr, clientErr := connect(t, server, client)
			checkErr(t, "server", serverErr, errAny)
			checkErr(t, "client", clientErr, errAny)
		})
	}
}

// Peer refuses all without ACA.
func TestPeer_NoCA(t *testing.T) {
	files := install(t, t.TempDir(), newCA(t, "ca"), newCA(t, "ca"), masterRequest("prod", "a"))
	files.CA = ""
	s := open(t, files)
	server, client := s.Peer("prod")
	_, serverErr, clientErr := connect(t, server, client)
	checkErr(t, "server", serverErr, errAny)
	checkErr(t, "client", clientErr, errAny)
}

func TestAPI(t *testing.T) {
	ca, other := newCA(t, "ca"), newCA(t, "other")
	own := identityOf(t, ca, Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	elsewhere := identityOf(t, ca, Request{CommonName: "api", Hosts: []string{"api.example"}})
	noCA := open(t, Files{Cert: own.files.Cert, Key: own.files.Key})
	bare := open(t, Files{CA: own.files.CA})
	for _, tt := range []struct {
		name                 string
		server               *tls.Config
		client               *tls.Config
		serverErr, clientErr error
	}{
		{"no client certificate asked for", own.API(false), bare.Client(), nil, nil},
		{"client certificate demanded and given", own.API(true), own.Client(), nil, nil},
		{"client certificate demanded, none given", own.API(true), bare.Client(), errAny, errAny},
		{
			"client of another authority", own.API(true),
			open(t, install(t, t.TempDir(), other, ca, Request{CommonName: "x"})).Client(), errAny, errAny,
		},
		{"demanded without a CA: nobody", noCA.API(true), own.Client(), errAny, errAny},
		{
			"server of another authority",
			identityOf(t, other, Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}).API(false),
			own.Client(), errAny, errAny,
		},
		{"server of another host", elsewhere.API(false), own.Client(), errAny, errAny},
		{"server without a certificate", bare.API(false), own.Client(), errAny, errAny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.client.ServerName = "127.0.0.1"
			_, serverErr, clientErr := connect(t, tt.server, tt.client)
			checkErr(t, "server", serverErr, tt.serverErr)
			checkErr(t, "client", clientErr, tt.clientErr)
		})
	}
}

// API speaks older TLS but not old.
func TestAPI_Versions(t *testing.T) {
	own := identityOf(t, newCA(t, "ca"), Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	versions := map[uint16]error{tls.VersionTLS11: errAny, tls.VersionTLS12: nil, tls.VersionTLS13: nil}
	for version, want := range versions {
		client := own.Client()
		client.ServerName, client.MinVersion, client.MaxVersion = "127.0.0.1", version, version
		client.NextProtos = httpProtos
		state, _, clientErr := connect(t, own.API(false), client)
		checkErr(t, tls.VersionName(version), clientErr, want)
		if clientErr == nil && state.NegotiatedProtocol != "h2" {
			t.Errorf("%s negotiated %q", tls.VersionName(version), state.NegotiatedProtocol)
		}
	}
}

// TestAPI_HTTP2 drives a whole http.Server and http.Transport, which have their own ideas about a tls.Config.
func TestAPI_HTTP2(t *testing.T) {
	own := identityOf(t, newCA(t, "ca"), Request{CommonName: "api", IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	ln := srv.Listener
	server := &http.Server{Handler: srv.Config.Handler, TLSConfig: own.API(true)}
	done := make(chan error, 1)
	go func() { done <- server.ServeTLS(ln, "", "") }()
	defer func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	for name, transport := range map[string]*http.Transport{
		"Client":  {TLSClientConfig: own.Client(), ForceAttemptHTTP2: true},
		"DialTLS": {DialTLSContext: own.DialTLS, ForceAttemptHTTP2: true},
	} {
		t.Run(name, func(t *testing.T) {
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+ln.Addr().String(),
				nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := string(body), "HTTP/2.0 api"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
