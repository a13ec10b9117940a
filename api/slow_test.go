package api

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/limits"
)

// watched records the connections that a server has closed.
type watched struct {
	mu     sync.Mutex
	closed map[string]bool // by the client's address
}

func (w *watched) watch(s *http.Server) {
	s.ConnState = func(c net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			_ = tcp(c).SetWriteBuffer(4 << 10) // or the kernel buffers megabytes for a client that does not read
		case http.StateClosed:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.closed[c.RemoteAddr().String()] = true
		}
	}
}

func tcp(c net.Conn) *net.TCPConn {
	return c.(*tls.Conn).NetConn().(*net.TCPConn) //nolint:errcheck // a panic names the type
}

// gone waits until the server has closed its side.
func (w *watched) gone(t *testing.T, c net.Conn) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	// crypto/tls tries for 5 s to send close_notify to a peer that does not read.
	for deadline := time.After(40 * time.Second); ; {
		w.mu.Lock()
		closed := w.closed[c.LocalAddr().String()]
		w.mu.Unlock()
		if closed {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("got an open connection, want it closed")
		}
	}
}

// dialRaw connects to a master without an HTTP client.
func dialRaw(t *testing.T, m *master, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", m.server.Listener.Addr().String(),
		&tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp(conn).Close() })
	if err := tcp(conn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	return conn
}

// All times are shortened; TestServer_Timeouts and package limits check the real ones.
func TestServer_ShortTimeouts(t *testing.T) {
	t.Parallel()
	w := &watched{closed: map[string]bool{}}
	m := newMaster(t, w.watch, hurried, func(s *http.Server) {
		s.IdleTimeout, s.HTTP2.WriteByteTimeout = hurry, hurry
	})
	const header = "Host: x\r\nAuthorization: Bearer " + testKey + "\r\n"
	const long = "/openapi.yaml" // a few such answers fill the buffers between server and client

	conns := map[string]*tls.Conn{}
	for name, misbehave := range map[string]func() *tls.Conn{
		"a body that does not arrive": func() *tls.Conn {
			conn := dialRaw(t, m)
			fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\n%sContent-Length: 100\r\n\r\n{", header)
			return conn
		},
		"an idle connection": func() *tls.Conn {
			conn := dialRaw(t, m)
			fmt.Fprint(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			return conn
		},
		"unread answers": func() *tls.Conn {
			conn := dialRaw(t, m)
			request := "GET " + long + " HTTP/1.1\r\n" + header + "\r\n"
			go fmt.Fprint(conn, strings.Repeat(request, 10)) // ends with the connection
			return conn
		},
		"unread answers over HTTP/2": func() *tls.Conn {
			conn := dialRaw(t, m, "h2")
			f := newFramer(t, conn)
			for id := uint32(1); id < 2*10; id += 2 {
				if err := f.ask(id, "GET", long,
					http2.HeadersFrameParam{EndStream: true, EndHeaders: true}); err != nil {
					t.Fatal(err)
				}
			}
			return conn
		},
		"an idle HTTP/2 connection": func() *tls.Conn {
			conn := dialRaw(t, m, "h2")
			newFramer(t, conn)
			return conn
		},
		"an unfinished header over HTTP/2": func() *tls.Conn {
			conn := dialRaw(t, m, "h2")
			if err := newFramer(t, conn).ask(1, "GET", "/jobs", http2.HeadersFrameParam{EndStream: true}); err != nil {
				t.Fatal(err)
			}
			return conn
		},
		"a body over HTTP/2 that does not arrive": func() *tls.Conn {
			conn := dialRaw(t, m, "h2")
			if err := newFramer(t, conn).ask(1, "POST", "/jobs",
				http2.HeadersFrameParam{EndHeaders: true}); err != nil {
				t.Fatal(err)
			}
			return conn
		},
	} {
		conns[name] = misbehave()
	}
	m.want(200, "GET", "/jobs", "") // others are served
	for name, conn := range conns {
		t.Run(name, func(t *testing.T) { w.gone(t, conn) })
	}
}

// The answer to a late or truncated body contains no internal address.
func TestBody_Incomplete(t *testing.T) {
	m := newMaster(t, hurried)
	for _, test := range []struct {
		name   string
		end    func(*tls.Conn) error
		status int
		code   ffrtmp.Code
	}{
		{"slow", func(*tls.Conn) error { return nil }, 408, ffrtmp.RequestTimeout},
		{"cut off", (*tls.Conn).CloseWrite, 400, ffrtmp.Invalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := dialRaw(t, m)
			fmt.Fprintf(conn,
				"POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", testKey)
			if err := test.end(conn); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			var p problem
			if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || p.Code != test.code || strings.Contains(p.Error, "127.0.0.1") {
				t.Errorf("got %d %+v, want %d %s without an address", resp.StatusCode, p, test.status, test.code)
			}
		})
	}
}

// framer sends HTTP/2 frames as a hostile client does.
type framer struct {
	*http2.Framer
	header bytes.Buffer
	enc    *hpack.Encoder
}

func newFramer(t *testing.T, conn *tls.Conn) *framer {
	t.Helper()
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &framer{Framer: http2.NewFramer(conn, conn)}
	f.enc = hpack.NewEncoder(&f.header)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// ask starts a request on a stream; end sets the flags of its headers.
func (f *framer) ask(stream uint32, method, path string, end http2.HeadersFrameParam) error {
	f.header.Reset()
	for _, h := range [][2]string{
		{":method", method},
		{":scheme", "https"},
		{":authority", "x"},
		{":path", path},
		{"authorization", "Bearer " + testKey},
	} {
		if err := f.enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			return err
		}
	}
	end.StreamID, end.BlockFragment = stream, f.header.Bytes()
	return f.WriteHeaders(end)
}

// Streams that are opened and reset in a loop (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	m := newMaster(t)
	conn := dialRaw(t, m, "h2")
	f := newFramer(t, conn)
	m.cluster.mu.Lock() // so that no request ends, whether reset or not
	release := sync.OnceFunc(m.cluster.mu.Unlock)
	defer release()
	go func() {
		for id := uint32(1); f.ask(id, "GET", "/jobs",
			http2.HeadersFrameParam{EndStream: true, EndHeaders: true}) == nil &&
			f.WriteRSTStream(id, http2.ErrCodeCancel) == nil; id += 2 {
		}
	}()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("got %v, want a GOAWAY frame", err)
		}
		if s, ok := frame.(*http2.SettingsFrame); ok && !s.IsAck() {
			if n, ok := s.Value(http2.SettingMaxConcurrentStreams); !ok || n != 250 {
				t.Errorf("got %d concurrent streams, want 250", n)
			}
		}
		if g, ok := frame.(*http2.GoAwayFrame); ok {
			if g.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("got %s, want %s", g.ErrCode, http2.ErrCodeEnhanceYourCalm)
			}
			break
		}
	}
	release()
	m.want(200, "GET", "/jobs", "")
}

// A header over the limit is refused.
func TestHeader_Bounded(t *testing.T) {
	m := newMaster(t)
	m.want(200, "GET", "/jobs", "", "X-Long", strings.Repeat("x", maxHeader-1<<10))
	var p problem
	m.want(431, "GET", "/jobs", "", "X-Long", strings.Repeat("x", maxHeader)).decode(t, &p)
	if p.Code != "too_large" || p.Status != 431 || p.Error == "" {
		t.Errorf("got %+v, want 431 too_large", p)
	}
	m.want(431, "GET", "/jobs?"+strings.Repeat("x", maxHeader), "")
	m.want(431, "GET", "/health", "", "X-Long", strings.Repeat("x", maxHeader))
	// Far over the limit, net/http answers before it reads the rest.
	conn := dialRaw(t, m)
	go fmt.Fprintf(conn, "GET /jobs HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n",
		strings.Repeat("x", 8<<20)) // cut off on the way
	answer := make([]byte, len("HTTP/1.1 431"))
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 431" {
		t.Errorf("got %q, %v, want 431", answer, err)
	}
}

// The forwarding master adds headers of its own.
func TestHeader_Forwarded(t *testing.T) {
	_, follower, _ := pair(t)
	follower.want(200, "GET", "/nodes", "", "X-Long", strings.Repeat("x", limits.HeaderBytes-400))
}
