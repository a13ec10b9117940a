package limits

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Server has every limit.
func TestServer_Limits(t *testing.T) {
	s := Server(http.NotFoundHandler(), hclog.NewNullLogger())
	for _, d := range []struct {
		name      string
		got, want time.Duration
	}{
		{"header", s.ReadHeaderTimeout, 5 * time.Second},
		{"read", s.ReadTimeout, 30 * time.Second},
		{"write", s.WriteTimeout, 30 * time.Second},
		{"idle", s.IdleTimeout, 120 * time.Second},
		{"bytes not taken", s.HTTP2.WriteByteTimeout, 30 * time.Second},
		{"ping", s.HTTP2.SendPingTimeout, 30 * time.Second},
		{"answer to a ping", s.HTTP2.PingTimeout, 15 * time.Second},
	} {
		if d.got != d.want {
			t.Errorf("%s: %s, want %s", d.name, d.got, d.want)
		}
	}
	if s.MaxHeaderBytes != 64<<10 || s.HTTP2.MaxConcurrentStreams != 250 {
		t.Errorf("header of %d bytes, %d streams", s.MaxHeaderBytes, s.HTTP2.MaxConcurrentStreams)
	}
}

// bounded is a server of at most two connections, on which /wait is not answered
// before the test says so.
type bounded struct {
	*httptest.Server
	conns *Connections
	ready chan struct{} // one for each request to /wait that has arrived
	end   context.CancelFunc
}

func newBounded(t *testing.T, http2 bool) *bounded {
	ctx, end := context.WithCancel(context.Background())
	b := &bounded{ready: make(chan struct{}, 2), end: end}
	b.Server = httptest.NewUnstartedServer(nil)
	b.Config = Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			b.ready <- struct{}{}
			<-ctx.Done()
		}
	}), hclog.NewNullLogger())
	b.conns = Bound(b.Config, 2)
	b.EnableHTTP2 = http2
	b.StartTLS()
	t.Cleanup(func() { end(); b.Close() })
	return b
}

// client returns a client with a connection of its own.
func (b *bounded) client(t *testing.T) *http.Client {
	t.Helper()
	shared, ok := b.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatalf("got transport %T, want *http.Transport", b.Client().Transport)
	}
	transport := shared.Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func (b *bounded) get(c *http.Client, path string) error {
	resp, err := c.Get(b.URL + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// settle waits until two connections are open, of which one is idle, and so many have been closed. A client has its
// answer before the server counts the connection as idle.
func (b *bounded) settle(t *testing.T, closed uint64) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); ; {
		open, idle, n := b.conns.Open(), b.idle(), b.conns.Closed()
		if open == 2 && idle == 1 && n == closed {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d open, %d idle and %d closed, want 2, 1 and %d", open, idle, n, closed)
		}
	}
}

func (b *bounded) idle() int {
	b.conns.mu.Lock()
	defer b.conns.mu.Unlock()
	return b.conns.idle.Len()
}

// Too many connections push out the longest idle.
func TestBound_ClosesLongestIdle(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			b := newBounded(t, http2)
			busy := b.client(t)
			done := make(chan error, 1)
			go func() { done <- b.get(busy, "/wait") }()
			<-b.ready
			for i := range uint64(3) { // each pushes out the one before
				if err := b.get(b.client(t), "/"); err != nil {
					t.Fatal(err)
				}
				b.settle(t, i)
			}
			// One that has not even sent a request is idle, too.
			silent, err := net.Dial("tcp", b.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			b.settle(t, 3)
			if err := b.get(b.client(t), "/"); err != nil {
				t.Fatal(err)
			}
			b.settle(t, 4)
			b.end()
			if err := <-done; err != nil {
				t.Errorf("the busy connection was cut: %v", err)
			}
		})
	}
}

// A new connection is refused when all are busy.
func TestBound_AllBusy(t *testing.T) {
	b := newBounded(t, false)
	done := make(chan error, 2)
	for range cap(done) {
		go func() { done <- b.get(b.client(t), "/wait") }()
		<-b.ready
	}
	if err := b.get(b.client(t), "/"); err == nil {
		t.Error("a third connection was served")
	}
	if n := b.conns.Closed(); n == 0 {
		t.Error("nothing was closed")
	}
	b.end()
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
