package ui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// visit is one request of a visitor.
type visit struct {
	*http.Request
	w       http.ResponseWriter
	console *Console
	token   string          // of the session
	who     ffrtmp.Identity // whose session it is
	index   uint64          // of the oldest answer on this page
	stale   bool            // no leader: reads are of this master's own state
	age     time.Duration   // with stale: since the last contact with the leader
	forAll  bool            // the answer is shared with others who see the same
}

// identify asks whose session this is, and whether there is a leader.
func (v *visit) identify() error {
	answer, err := v.call(http.MethodGet, "/session", nil, nil, &v.who)
	if answer != nil {
		v.stale = answer.header.Get(ffrtmp.KnownLeaderHeader) == "false"
		if ms, err := strconv.ParseInt(answer.header.Get(ffrtmp.LastContactHeader), 10, 64); err == nil {
			v.age = time.Duration(ms) * time.Millisecond
		}
	}
	return err
}

// get reads from the leader, or from this master's own state if there is no leader.
func (v *visit) get(path string, query url.Values, out any) error {
	if v.stale {
		if query == nil {
			query = url.Values{}
		}
		query.Set("stale", "true")
	}
	answer, err := v.call(http.MethodGet, path, query, nil, out)
	if ffrtmp.CodeOf(err) == ffrtmp.NoLeader && !v.stale {
		v.stale = true
		return v.get(path, query, out)
	}
	if answer != nil {
		if index, err := strconv.ParseUint(answer.header.Get(ffrtmp.IndexHeader), 10, 64); err == nil {
			v.index = min(index, cmp.Or(v.index, index))
		}
	}
	return err
}

// send changes something. in is its JSON body.
func (v *visit) send(method, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = v.call(method, path, query, body, out)
	return err
}

// call carries out one request of the API, in this process.
func (v *visit) call(method, path string, query url.Values, body []byte, out any) (*answer, error) {
	a := &answer{header: http.Header{}}
	r, err := v.request(method, path, query, body)
	if err != nil {
		return nil, err
	}
	if err := a.record(v.console.cfg.API, r); err != nil {
		return nil, err
	}
	if a.status >= http.StatusBadRequest {
		return a, problem(a)
	}
	if out == nil {
		return a, nil
	}
	return a, json.Unmarshal(a.body.Bytes(), out)
}

// request is a request of the API on the visitor's behalf. Names in the path are escaped.
func (v *visit) request(method, path string, query url.Values, body []byte) (*http.Request, error) {
	target, err := url.Parse(path)
	if err != nil {
		return nil, ffrtmp.Errorf(ffrtmp.NotFound, "this page does not exist")
	}
	target.RawQuery = query.Encode()
	r := &http.Request{
		Method: method, URL: target, Proto: v.Proto, ProtoMajor: v.ProtoMajor,
		ProtoMinor: v.ProtoMinor, Header: http.Header{}, Host: v.Host, RemoteAddr: v.RemoteAddr, TLS: v.TLS,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	r.RequestURI = r.URL.RequestURI()
	if v.token != "" {
		r.Header.Set("Authorization", "Bearer "+v.token)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if nonce := v.PostFormValue("nonce"); nonce != "" && method == http.MethodPost {
		r.Header.Set(ffrtmp.IdempotencyHeader, nonce)
	}
	r.Header.Set(ffrtmp.RequestIDHeader, v.w.Header().Get(ffrtmp.RequestIDHeader))
	return r.WithContext(v.Context()), nil
}

// stream answers with what the API streams.
func (v *visit) stream(path string, query url.Values) error {
	r, err := v.request(http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	for _, name := range []string{"Last-Event-ID", "Range", "If-Range", "If-None-Match"} {
		if value := v.Header.Get(name); value != "" {
			r.Header.Set(name, value)
		}
	}
	v.console.cfg.API.ServeHTTP(v.w, r)
	return nil
}

// problem decodes the API's error.
func problem(a *answer) error {
	var p struct {
		Error string      `json:"error"`
		Code  ffrtmp.Code `json:"code"`
		Field string      `json:"field"`
	}
	if err := json.Unmarshal(a.body.Bytes(), &p); err != nil || p.Code == "" {
		return ffrtmp.Errorf(ffrtmp.Internal, "the API answered %d", a.status)
	}
	return &ffrtmp.Error{Code: p.Code, Field: p.Field, Message: strings.TrimPrefix(p.Error, p.Field+": ")}
}

// answer is what the API answers in this process. Its deadlines are those of the visitor's request.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// record lets a handler answer. A handler that gives up leaves the outcome unknown.
func (a *answer) record(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if abort, ok := p.(error); !ok || !errors.Is(abort, http.ErrAbortHandler) {
				panic(p)
			}
			err = ffrtmp.Errorf(ffrtmp.UnknownOutcome, "the leader was lost during its answer; the outcome is unknown")
		}
	}()
	h.ServeHTTP(a, r)
	return nil
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) {
	a.status = cmp.Or(a.status, http.StatusOK)
	return a.body.Write(p)
}

func (*answer) SetReadDeadline(time.Time) error  { return nil }
func (*answer) SetWriteDeadline(time.Time) error { return nil }
func (*answer) FlushError() error                { return nil }
