package proxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func TestZone_Addresses(t *testing.T) {
	for address, want := range map[string]zone{
		"93.184.216.34":          public,
		"2606:2800:220:1::1":     public,
		"10.1.2.3":               private,
		"192.168.0.1":            private,
		"fd12::1":                private,
		"100.64.0.1":             private,
		"127.0.0.1":              loopback,
		"127.9.9.9":              loopback,
		"::1":                    loopback,
		"::ffff:127.0.0.1":       loopback,
		"169.254.169.254":        forbidden,
		"::ffff:169.254.169.254": forbidden,
		"fe80::1%eth0":           forbidden,
		"fd00:ec2::254":          forbidden,
		"100.100.100.200":        forbidden,
		"0.0.0.0":                forbidden,
		"::":                     forbidden,
		"224.0.0.1":              forbidden,
		"255.255.255.255":        forbidden,
	} {
		if got := zoneOf(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: got zone %d, want %d", address, got, want)
		}
	}
}

// Dialing refuses addresses beyond the allowed zone.
func TestDialControl_Zone(t *testing.T) {
	for _, c := range []struct {
		address string
		limit   zone
		refused bool
	}{
		{"127.0.0.1:80", loopback, false},
		{"127.0.0.1:80", private, true},
		{"10.0.0.1:80", private, false},
		{"10.0.0.1:80", public, true},
		{"93.184.216.34:80", public, false},
		{"169.254.169.254:80", loopback, true},
	} {
		err := dialControl(c.limit)("tcp4", c.address, nil)
		if (err != nil) != c.refused {
			t.Errorf("%s within zone %d: got %v, want refused %t", c.address, c.limit, err, c.refused)
		}
		if err != nil && failure.Reason(err) != ffrtmp.UserError {
			t.Errorf("%s: got reason %s, want a user error", c.address, failure.Reason(err))
		}
	}
}

// TestMain makes the test servers' certificate one of those that this process trusts.
func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(nil)
	trusted := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	server.Close()
	dir, err := os.MkdirTemp("", "proxy")
	if err != nil {
		panic(err)
	}
	path := filepath.Join(dir, "trusted.pem")
	if err := errors.Join(os.WriteFile(path, trusted, 0o600), os.Setenv("SSL_CERT_FILE", path)); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// selfSigned is a certificate for 127.0.0.1 that this process does not trust.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Certificates of servers are verified.
func TestEndpoint_Certificate(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("media")) })
	trusted := httptest.NewTLSServer(handler)
	defer trusted.Close()
	untrusted := httptest.NewUnstartedServer(handler)
	untrusted.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	untrusted.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	untrusted.StartTLS()
	defer untrusted.Close()
	if code, body := get(t, open(t, trusted.URL+"/a.mp4").Address(), ""); code != http.StatusOK || body != "media" {
		t.Errorf("trusted: got %d %q, want 200 media", code, body)
	}
	e := open(t, untrusted.URL+"/a.mp4")
	if code, _ := get(t, e.Address(), ""); code != http.StatusBadGateway || e.Err() == nil {
		t.Errorf("untrusted: got %d, %v, want 502 and an error", code, e.Err())
	}
	// RTMP over TLS: the server's answer arrives only when it is trusted.
	for _, server := range []*httptest.Server{trusted, untrusted} {
		e := open(t, strings.Replace(server.URL, "https", "rtmps", 1)+"/live/key")
		conn := dial(t, e)
		// An untrusted server's connection may be closed already.
		_, _ = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		answer, _ := io.ReadAll(conn)
		conn.Close()
		if got := strings.HasSuffix(string(answer), "media"); got != (server == trusted) || (e.Err() == nil) != got {
			t.Errorf("rtmps, want trusted %t: got %q, %v", server == trusted, answer, e.Err())
		}
	}
}

func open(t *testing.T, raw string) *Endpoint {
	t.Helper()
	e, err := Open(raw, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// dial connects to an RTMP endpoint.
func dial(t *testing.T, e *Endpoint) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(e.Address(), "rtmp://"), "/"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// listen opens a server on the loopback address.
func listen(t *testing.T) net.Listener {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

func get(t *testing.T, address, byteRange string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if byteRange != "" {
		request.Header.Set("Range", byteRange)
	}
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestHTTP_Requests(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clip.mp4")
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/clip.mp4", func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "pass" || r.URL.RawQuery != "token=t" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeFile(w, r, file)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	mux.HandleFunc("/moved.mp4", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://user:pass@"+host+"/clip.mp4?token=t", http.StatusFound)
	})

	e := open(t, "http://user:pass@"+host+"/clip.mp4?token=t")
	if !strings.HasPrefix(e.Address(), "http://127.0.0.1:") || !strings.HasSuffix(e.Address(), "/clip.mp4") ||
		strings.Contains(e.Address(), "pass") {
		t.Errorf("got address %s, want a local one without the password", e.Address())
	}
	if code, body := get(t, e.Address(), ""); code != http.StatusOK || body != "0123456789" {
		t.Errorf("whole: got %d %q, want 200 and all digits", code, body)
	}
	if code, body := get(t, e.Address(), "bytes=4-5"); code != http.StatusPartialContent || body != "45" {
		t.Errorf("range: got %d %q, want 206 and 45", code, body)
	}
	if code, body := get(t, open(t, server.URL+"/moved.mp4").Address(), ""); code != http.StatusOK ||
		body != "0123456789" {
		t.Errorf("after a redirect: got %d %q, want 200 and all digits", code, body)
	}
	if code, _ := get(t, open(t, server.URL+"/none.mp4").Address(), ""); code != http.StatusNotFound {
		t.Errorf("missing: got %d, want 404", code)
	}
	guessed, err := url.Parse(e.Address())
	if err != nil {
		t.Fatal(err)
	}
	guessed.Path = "/clip.mp4"
	if code, _ := get(t, guessed.String(), ""); code != http.StatusNotFound {
		t.Errorf("unknown path: got %d, want 404", code)
	}
}

func TestHTTP_Refused(t *testing.T) {
	targets := map[string]string{
		"/metadata": "http://169.254.169.254/latest/meta-data/",
		"/scheme":   "file:///etc/passwd",
		"/loop":     "/loop",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", targets[r.URL.Path])
		w.WriteHeader(http.StatusFound)
	}))
	defer server.Close()
	for name, c := range map[string]struct {
		url    string
		reason ffrtmp.FailureReason
	}{
		"metadata service":             {"http://169.254.169.254/latest/", ffrtmp.UserError},
		"metadata service, mapped":     {"http://[::ffff:169.254.169.254]/latest/", ffrtmp.UserError},
		"redirect to metadata service": {server.URL + "/metadata", ffrtmp.UserError},
		"redirect to another scheme":   {server.URL + "/scheme", ffrtmp.UserError},
		"redirects without end":        {server.URL + "/loop", ffrtmp.InputError},
		"nobody listens": {
			"http://user:hunter2@127.0.0.1:1/?token=hunter2",
			ffrtmp.NetworkError,
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, c.url)
			if code, _ := get(t, e.Address(), ""); code != http.StatusBadGateway {
				t.Errorf("got %d, want 502", code)
			}
			if e.Err() == nil || failure.Reason(e.Err()) != c.reason {
				t.Errorf("got %v (%s), want a %s", e.Err(), failure.Reason(e.Err()), c.reason)
			}
			if e.Err() != nil && strings.Contains(e.Err().Error(), "hunter2") {
				t.Errorf("got %q, want no secret in it", e.Err())
			}
		})
	}
}

// A public server must not redirect to a private address.
func TestHTTP_RedirectInward(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	next := httptest.NewRequest(http.MethodGet, server.URL, nil)
	for _, c := range []struct {
		reached zone
		allowed bool
	}{{public, false}, {private, false}, {loopback, true}} {
		h := hops{limit: loopback, reached: c.reached}
		if err := h.redirect(next, nil); err != nil {
			t.Fatal(err)
		}
		conn, err := h.dial(t.Context(), "tcp", next.URL.Host)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.allowed {
			t.Errorf("from zone %d to the loopback: got %v, want allowed %t", c.reached, err, c.allowed)
		}
	}
}

// Only the schemes of Open are allowed.
func TestOpen_Scheme(t *testing.T) {
	for _, raw := range []string{
		"file:///etc/passwd", "ftp://host/x", "unix:/run/x.sock", "concat:a|b",
		"http:///nohost", "crypto:http://host/x",
	} {
		if e, err := Open(raw, false); err == nil {
			e.Close()
			t.Errorf("%s: got no error, want one", raw)
		}
	}
}

// Bytes pass both ways, and the last ones arrive before the close.
func TestRTMP_BothWays(t *testing.T) {
	server := listen(t)
	received := make(chan []byte, 1)
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		all, _ := io.ReadAll(conn)
		received <- all
	}()
	e := open(t, "rtmp://"+server.Addr().String()+"/live/key")
	conn := dial(t, e)
	hello := make([]byte, 5)
	if _, err := io.ReadFull(conn, hello); err != nil || string(hello) != "hello" {
		t.Fatalf("got %q, %v, want hello", hello, err)
	}
	sent := bytes.Repeat([]byte("x"), 1<<20)
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	e.Close()
	select {
	case got := <-received:
		if len(got) != len(sent) {
			t.Errorf("got %d bytes, want %d", len(got), len(sent))
		}
	case <-testkit.Context(t).Done():
		t.Error("got no end at the server, want one")
	}
}

// A source ends when its server closes; a target must not close first.
func TestRTMP_ServerCloses(t *testing.T) {
	server := listen(t)
	go func() {
		for {
			conn, err := server.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for _, target := range []bool{false, true} {
		e, err := Open("rtmp://"+server.Addr().String()+"/live/key", target)
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, e)
		// How the connection ends depends on the direction; e.Err is what counts.
		_, _ = io.ReadAll(conn)
		conn.Close()
		e.Close()
		if err := e.Err(); (err != nil) != target || target && failure.Reason(err) != ffrtmp.NetworkError {
			t.Errorf("target %t: got %v, want an error of a target only", target, err)
		}
	}
}

// Close does not wait for a silent server.
func TestClose_SilentServer(t *testing.T) {
	server := listen(t)
	e := open(t, "rtmp://"+server.Addr().String()+"/live/key")
	conn := dial(t, e)
	defer conn.Close()
	closed := make(chan struct{})
	go func() { e.Close(); close(closed) }()
	select {
	case <-closed:
	case <-testkit.Context(t).Done():
		t.Fatal("Close: got no return, want one")
	}
}
