package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

// The client discovers the leader through a follower, and returns to the follower when the leader is gone.
func TestFailover_DiscoverLeader(t *testing.T) {
	leader := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, ffrtmp.Job{ID: "a"}) })
	follower := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ffrtmp-Leader", leader.URL)
		w.Header().Set("X-Ffrtmp-Known-Leader", "true")
		w.Header().Set("X-Ffrtmp-Index", "42")
		w.Header().Set("X-Ffrtmp-Served-By", "f")
		w.Header().Set("X-Ffrtmp-Last-Contact", "12")
		answer(w, 200, ffrtmp.Job{ID: "a"})
	})
	c := dial(t, client.Config{}, follower)
	var meta client.Meta
	if _, err := c.Job(t.Context(), "a", client.WithMeta(&meta)); err != nil {
		t.Fatal(err)
	}
	if meta.Index != 42 || !meta.KnownLeader || meta.Leader != leader.URL || meta.ServedBy != "f" ||
		meta.LastContact != 12*time.Millisecond ||
		meta.Master != follower.URL {
		t.Errorf("got %+v, want the metadata of the leader's answer", meta)
	}
	if _, err := c.Job(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Job(t.Context(), "a", client.Stale(0)); err != nil {
		t.Fatal(err)
	}
	if f, l := len(follower.requests()), len(leader.requests()); f != 1 || l != 2 {
		t.Errorf("got %d requests to the follower and %d to the leader, want 1 and 2", f, l)
	}
	leader.Close()
	if _, err := c.Job(within(t, time.Minute), "a"); err != nil {
		t.Errorf("got %v without the leader, want the follower's answer", err)
	}
}

// A master that speaks the other scheme is passed over: clients have URLs of both kinds while a cluster changes to TLS.
func TestFailover_OtherScheme(t *testing.T) {
	secure := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, ffrtmp.Job{ID: "a"}) })
	plain := httptest.NewServer(secure.Config.Handler)
	t.Cleanup(plain.Close)
	httpToTLS, httpsToPlain := "http"+secure.URL[len("https"):], "https"+plain.URL[len("http"):]
	for _, masters := range [][]string{
		{httpToTLS, secure.URL},
		{secure.URL, httpToTLS},
		{httpsToPlain, plain.URL},
		{httpsToPlain, httpToTLS, secure.URL},
	} {
		c := dial(t, client.Config{Masters: masters})
		for range 3 {
			if _, err := c.Job(within(t, time.Minute), "a"); err != nil {
				t.Errorf("%q: %v", masters, err)
			}
		}
		if _, err := c.Submit(within(t, time.Minute), ffrtmp.Spec{Scenario: "720p"}); err != nil {
			t.Errorf("%q: submit: %v", masters, err)
		}
	}
	c := dial(t, client.Config{Masters: []string{httpToTLS, httpsToPlain}, Patience: time.Hour})
	_, err := c.Job(within(t, time.Minute), "a")
	var unavailable *client.UnavailableError
	if !errors.As(err, &unavailable) || !errors.Is(unavailable.Tries[0].Err, client.ErrSchemeMismatch) {
		t.Errorf("got %v, want the scheme at once", err)
	}
}

// Dead masters are left quickly.
func TestFailover_DeadMaster(t *testing.T) {
	alive := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, ffrtmp.Job{ID: "a"}) })
	for range 8 {
		c := dial(t, client.Config{Masters: []string{downURL(t), downURL(t)}}, alive)
		start := time.Now()
		if _, err := c.Job(within(t, time.Minute), "a"); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 8*time.Second {
			t.Errorf("got an answer after %v, want it before a try times out", d)
		}
	}
}

// A frozen master keeps its connections; it is left in the middle of a long poll.
func TestFailover_FrozenMaster(t *testing.T) {
	polls := make(chan struct{}, 1)
	release := make(chan struct{})
	frozen := serve(t, func(w http.ResponseWriter, r *http.Request) {
		polls <- struct{}{}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	proxy := newProxy(t, frozen.Listener.Addr().String())
	other := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, ffrtmp.ClaimResponse{}) })
	c := dial(t, client.Config{Masters: []string{"https://" + proxy.addr()}})
	done := make(chan error, 1)
	go func() {
		claim := ffrtmp.ClaimRequest{NodeID: "n", Wait: ffrtmp.Duration(time.Minute)}
		_, err := c.Claim(within(t, 2*time.Minute), claim)
		done <- err
	}()
	<-polls
	c.SetMasters([]string{other.URL})
	start := time.Now()
	proxy.freeze()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d > 30*time.Second {
		t.Errorf("got an answer after %v, want it before the poll ends", d)
	}
}

// All tries of a write have the same idempotency key and request id.
func TestFailover_SameKey(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	handle := func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch tries++; tries {
		case 1:
			refuse(w, 504, ffrtmp.UnknownOutcome, "leadership was lost")
		case 2:
			panic(http.ErrAbortHandler)
		case 3:
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"id":"cut`)
		default:
			answer(w, 200, ffrtmp.Job{ID: "a"})
		}
	}
	a, b := serve(t, handle), serve(t, handle)
	c := dial(t, client.Config{APIKey: "secret"}, a, b)
	j, err := c.Submit(within(t, time.Minute), ffrtmp.Spec{Scenario: "360p"}, client.RequestID("r1"))
	if err != nil || j.ID != "a" {
		t.Fatalf("got %q, %v, want job a", j.ID, err)
	}
	seen := append(a.requests(), b.requests()...)
	if len(seen) < 4 {
		t.Fatalf("got %d tries, want 4", len(seen))
	}
	key := seen[0].header.Get("Idempotency-Key")
	for _, r := range seen {
		if got := r.header.Get("Idempotency-Key"); got == "" || got != key {
			t.Errorf("got key %q, want %q", got, key)
		}
		if got := r.header.Get("X-Request-Id"); got != "r1" {
			t.Errorf("got request id %q, want r1", got)
		}
		if got := r.header.Get("Authorization"); got != "Bearer secret" {
			t.Errorf("got authorization %q, want the key", got)
		}
	}
	again, err := c.Submit(t.Context(), ffrtmp.Spec{Scenario: "360p"}, client.IdempotencyKey("mine"))
	if err != nil || again.ID != "a" {
		t.Fatal(err)
	}
	if seen = append(a.requests(), b.requests()...); !usedKey(seen, "mine") {
		t.Error("got another idempotency key, want the caller's")
	}
}

func usedKey(seen []request, key string) bool {
	for _, r := range seen {
		if r.header.Get("Idempotency-Key") == key {
			return true
		}
	}
	return false
}

// The client waits for as long as a master without a leader asks.
func TestFailover_NoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asked []time.Duration
		c, err := client.New(client.Config{
			Masters: []string{"https://a"},
			Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				asked = append(asked, time.Since(start))
				if len(asked) == 1 {
					return reply(503, `{"error":"no leader","code":"no_leader","status":503}`, "Retry-After", "3"), nil
				}
				return reply(200, `{"id":"x"}`), nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Job(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		if len(asked) != 2 || asked[1] < 3*time.Second || asked[1] > 4500*time.Millisecond {
			t.Errorf("got requests at %v, want two, 3 s to 4.5 s apart", asked)
		}
	})
}

// A call that runs out of patience names the failure of every master.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c, err := client.New(
			client.Config{
				Patience: 10 * time.Second,
				Masters:  []string{"https://a", "https://b"},
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					calls++
					if r.URL.Host == "a" {
						return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
					}
					return reply(503, `{"error":"election in progress","code":"no_leader","status":503}`), nil
				}),
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_, err = c.Submit(t.Context(), ffrtmp.Spec{})
		if d := time.Since(start); d > 11*time.Second || d < 7*time.Second {
			t.Errorf("got the error after %v, want it after about 10 s", d)
		}
		var unavailable *client.UnavailableError
		if !errors.As(err, &unavailable) || ffrtmp.CodeOf(err) != ffrtmp.NoLeader {
			t.Fatalf("%T %v, code %q", err, err, ffrtmp.CodeOf(err))
		}
		wants := []string{"POST /jobs", "https://a: connection refused", "https://b: election in progress"}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want it to contain %q", err, want)
			}
		}
		if calls < 6 || calls > 60 {
			t.Errorf("got %d tries in 10 s, want 6 to 60", calls)
		}
	})
}

// A write without an answer has an unknown outcome; a read is unavailable.
func TestDo_UnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(client.Config{
			Masters: []string{"https://a"},
			Transport: roundTripper(func(*http.Request) (*http.Response, error) {
				return nil, io.ErrUnexpectedEOF
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = c.Submit(ctx, ffrtmp.Spec{}, client.IdempotencyKey("k"))
		var unknown *client.UnknownOutcomeError
		if !errors.As(err, &unknown) || unknown.Key != "k" || ffrtmp.CodeOf(err) != ffrtmp.UnknownOutcome ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("write: got %T %v, want an unknown outcome with key k", err, err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err = c.Job(ctx, "a")
		if ffrtmp.CodeOf(err) != ffrtmp.NoLeader || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("read: got %T %v, want no_leader", err, err)
		}
	})
}

// A silent master is left after the long poll and the timeout of the try.
func TestFailover_SilentMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := client.New(
			client.Config{
				TryTimeout: 3 * time.Second,
				Masters:    []string{"http://a"},
				Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "b" {
						return reply(200, `{"commands":[]}`), nil
					}
					<-r.Context().Done()
					return nil, r.Context().Err()
				}),
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c.SetMasters([]string{"http://b"})
		heartbeat := ffrtmp.Heartbeat{Wait: ffrtmp.Duration(10 * time.Second)}
		if _, err := c.Heartbeat(t.Context(), "n", heartbeat); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 13*time.Second {
			t.Errorf("got an answer after %v, want 13 s: the poll and the timeout of the try", d)
		}
	})
}

// proxy passes TCP on until it is frozen; connections then stay up and silent.
type proxy struct {
	listener net.Listener
	frozen   chan struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, frozen: make(chan struct{})}
	var conns sync.WaitGroup
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); close(ended); conns.Wait() })
	pass := func(dst, src net.Conn) {
		defer conns.Done()
		buf := make([]byte, 32<<10)
		for {
			n, err := src.Read(buf)
			select {
			case <-p.frozen:
				<-ended
			default:
			}
			if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
				dst.Close()
				return
			}
		}
	}
	conns.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			conns.Add(2)
			go pass(out, in)
			go pass(in, out)
			go func() { <-ended; in.Close(); out.Close() }()
		}
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }
func (p *proxy) freeze()      { close(p.frozen) }
