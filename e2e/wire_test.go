package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// wire sends HTTP requests like curl, without retries.
type wire struct {
	http *http.Client
	key  string
}

// wire returns a client with its own connections.
func (s *site) wire() *wire {
	transport := &http.Transport{TLSClientConfig: s.ClientTLS(), MaxIdleConnsPerHost: 64}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &wire{http: &http.Client{Transport: transport, Timeout: patience}, key: s.APIKey()}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
	took   time.Duration
}

// send sends one request. Headers are name, value, name, value…
func (w *wire) send(ctx context.Context, method, url, body string, headers ...string) (reply, error) {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if w.key != "" {
		req.Header.Set("Authorization", "Bearer "+w.key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, header: resp.Header}
	r.body, err = io.ReadAll(resp.Body)
	r.took = time.Since(began)
	return r, err
}

// call sends one request, which must get an answer.
func (w *wire) call(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	r, err := w.send(t.Context(), method, url, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return r
}

// want fails the test unless the answer has the status.
func (r reply) want(t *testing.T, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("got status %d, want %d: %s", r.status, status, r.body)
	}
	return r
}

// refused checks that the answer is an error document with the code.
func (r reply) refused(t *testing.T, status int, code ffrtmp.Code) {
	t.Helper()
	var e struct {
		Error  string      `json:"error"`
		Code   ffrtmp.Code `json:"code"`
		Status int         `json:"status"`
	}
	r.want(t, status).decode(t, &e)
	if e.Code != code || e.Status != status || e.Error == "" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %s (%s), want code %s", r.body, r.header.Get("Content-Type"), code)
	}
}

// decode reads the answer's JSON.
func (r reply) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.NewDecoder(bytes.NewReader(r.body)).Decode(v); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
}

// pages reads a list to its end.
func (w *wire) pages(t *testing.T, url string) (pages []reply) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Next string `json:"next_cursor"`
		}
		r := w.call(t, http.MethodGet, url+"&cursor="+cursor, "").want(t, http.StatusOK)
		r.decode(t, &page)
		pages = append(pages, r)
		if cursor = page.Next; cursor == "" {
			return pages
		}
	}
}
