package proxy

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

const (
	maxRedirects  = 8
	headerTimeout = 30 * time.Second
)

// serveHTTP passes GETs of one unguessable path to the server.
func (e *Endpoint) serveHTTP(ctx context.Context, u *url.URL) {
	// The base name stays, because ffmpeg also detects a format by its extension.
	local := "/" + rand.Text() + "/" + path.Base("/"+u.Path)
	e.address = (&url.URL{Scheme: "http", Host: e.local, Path: local}).String()
	server := &http.Server{
		ReadHeaderTimeout: headerTimeout,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(local)) != 1:
				http.NotFound(w, r)
			case r.Method != http.MethodGet:
				w.WriteHeader(http.StatusMethodNotAllowed)
			default:
				e.fetch(w, r, u)
			}
		}),
	}
	e.group.Go(func() {
		// Serve ends when Close closes the listener.
		_ = server.Serve(e.listener)
	})
	e.group.Go(func() {
		<-ctx.Done()
		server.Close()
	})
}

// hops follows one request from server to server.
type hops struct {
	limit   zone // how far in the next server may be
	reached zone // of the last server
}

func (h *hops) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, Control: dialControl(h.limit)}
	conn, err := d.DialContext(ctx, network, address)
	if err == nil {
		h.reached = zoneOfConn(conn)
	}
	return conn, err
}

// redirect decides whether to follow a redirect.
func (h *hops) redirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return failure.Errorf(ffrtmp.InputError, "more than %d redirects", maxRedirects)
	}
	if next.URL.Scheme != "http" && next.URL.Scheme != "https" {
		return failure.Errorf(ffrtmp.UserError, "a redirect to %q is not allowed", next.URL.Scheme)
	}
	h.limit = min(h.limit, h.reached)
	return nil
}

// fetch passes on one request, over its own connections.
func (e *Endpoint) fetch(w http.ResponseWriter, r *http.Request, u *url.URL) {
	h := &hops{limit: loopback}
	transport := &http.Transport{
		DisableKeepAlives:     true, // every hop is dialed and thereby checked
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		DialContext:           h.dial,
	}
	client := &http.Client{Transport: transport, CheckRedirect: h.redirect}
	request := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}).WithContext(r.Context())
	for _, name := range []string{"Range", "User-Agent"} {
		if v := r.Header.Get(name); v != "" {
			request.Header.Set(name, v)
		}
	}
	// Ranges count bytes of the file, not of a compressed form.
	request.Header.Set("Accept-Encoding", "identity")
	response, err := client.Do(request)
	if err != nil {
		if r.Context().Err() == nil {
			e.fail(describe("input", err))
		}
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for _, name := range []string{
		"Accept-Ranges", "Content-Encoding", "Content-Length", "Content-Range",
		"Content-Type", "Etag", "Last-Modified",
	} {
		if v := response.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(response.StatusCode)
	if _, err := io.Copy(w, e.counted(response.Body)); err != nil {
		panic(http.ErrAbortHandler) // ffmpeg must notice a broken response
	}
}

// describe adds a reason to a network error and drops the URL, which may hold a
// secret.
func describe(what string, err error) error {
	var refused *failure.Error
	if errors.As(err, &refused) {
		return failure.Errorf(refused.Reason, "%s: %w", what, refused)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return failure.Errorf(ffrtmp.NetworkError, "%s: %w", what, err)
}
