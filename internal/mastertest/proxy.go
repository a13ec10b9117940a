package mastertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// Proxy forwards requests to a master, over TLS with the certificate of httptest. Clients see one master for each
// address of the proxy and never the real one.
type Proxy struct {
	// Request sees a request and its body before the master does; it returns the body that the master gets, and whether
	// the connection breaks instead. It may be nil.
	Request func(r *http.Request, body []byte) (changed []byte, broken bool)
	// Response sees an answer, and the request's body, before the client does, and reports whether the connection
	// breaks instead. It may be nil.
	Response func(r *http.Response, sent, received []byte) (broken bool)

	t       testing.TB
	down    atomic.Bool
	mu      sync.Mutex
	target  *url.URL
	servers []*httptest.Server
	leader  int
}

// sentKey is the context key of the body that the master gets.
type sentKey struct{}

var errBroken = errors.New("the proxy breaks the connection")

// NewProxy returns a proxy with one address.
func NewProxy(t testing.TB, m *Master) *Proxy {
	t.Helper()
	p := &Proxy{t: t}
	p.SetMaster(m)
	p.AddAddress()
	return p
}

// SetMaster sends later requests to another master.
func (p *Proxy) SetMaster(m *Master) {
	target, err := url.Parse(m.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// AddAddress opens one more address and returns its URL.
func (p *Proxy) AddAddress() string {
	s := httptest.NewUnstartedServer(p.handler())
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // broken connections are on purpose
	s.StartTLS()
	p.t.Cleanup(func() { p.SetDown(true); s.Close() })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers = append(p.servers, s)
	return s.URL
}

// URLs are the proxy's addresses.
func (p *Proxy) URLs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var urls []string
	for _, s := range p.servers {
		urls = append(urls, s.URL)
	}
	return urls
}

// SetLeader makes the address of this number the leader's in the eyes of clients.
func (p *Proxy) SetLeader(number int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leader = number
}

// SetDown breaks every connection, open and new, until it is called with false.
func (p *Proxy) SetDown(down bool) {
	p.down.Store(down)
	if !down {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		s.CloseClientConnections()
	}
}

func (p *Proxy) handler() http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			p.mu.Lock()
			defer p.mu.Unlock()
			r.SetURL(p.target)
		},
		ModifyResponse: p.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		Transport:      &http.Transport{DisableCompression: true},
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		broken := err != nil || p.down.Load()
		if p.Request != nil && !broken {
			body, broken = p.Request(r, body)
		}
		if broken {
			panic(http.ErrAbortHandler)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		forward.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sentKey{}, body)))
	})
}

// answer puts the proxy's addresses where the master's stand.
func (p *Proxy) answer(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return err
	}
	sent, _ := r.Request.Context().Value(sentKey{}).([]byte)
	if p.down.Load() || p.Response != nil && p.Response(r, sent, body) {
		return errBroken
	}
	urls := p.URLs()
	p.mu.Lock()
	master, leader := p.target.String(), urls[p.leader]
	p.mu.Unlock()
	if r.Header.Get(ffrtmp.LeaderHeader) != "" {
		r.Header.Set(ffrtmp.LeaderHeader, leader)
	}
	body = bytes.ReplaceAll(body, []byte(`"`+master+`"`), []byte(`"`+strings.Join(urls, `","`)+`"`))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}
