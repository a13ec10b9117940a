package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// failure is a failed try; another one may succeed.
type failure struct {
	err        error
	unknown    bool          // the call may have been executed
	retryAfter time.Duration // 0: the client's own backoff
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// transportError drops the request that net/url repeats, and distinguishes the try's own time limit from the caller's.
func transportError(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) {
		return cause
	}
	var record tls.RecordHeaderError
	if errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" {
		return fmt.Errorf("%w: it speaks plain HTTP", ErrSchemeMismatch)
	}
	return err
}

// connectPatience is how long a try waits for a connection while another master can be asked instead. It is enough for
// TCP and TLS on a network of one site; on a slower one the last master is waited for.
const connectPatience = 300 * time.Millisecond

var errSlowConnect = fmt.Errorf("no connection within %v", connectPatience)

// contact records whether net/http found a connection for the request of one try.
type contact struct{ sought, found atomic.Bool }

// hurry cancels a try that has no connection after connectPatience: its request was certainly not sent. The caller
// must call stop.
func (c *contact) hurry(cancel context.CancelCauseFunc) (stop func() bool) {
	return time.AfterFunc(connectPatience, func() {
		if c.sought.Load() && !c.found.Load() {
			cancel(errSlowConnect)
		}
	}).Stop
}

// observe returns a context that makes net/http report to c. It leaves a caller's own trace in place.
func (c *contact) observe(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.sought.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.found.Store(true) },
	})
}

// unsent reports whether the request has certainly not reached a master. The error alone is not enough: net/http
// resends a request with an idempotency key when its connection is lost, and returns the error of the last connection.
func (c *contact) unsent(err error) bool {
	var dial *net.OpError
	switch {
	case permanent(err):
		return true
	case c.found.Load():
		return false
	case c.sought.Load():
		return true
	}
	return errors.As(err, &dial) && dial.Op == "dial" // of a transport that traces nothing
}

// permanent reports whether the same address will fail in the same way again.
func permanent(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) ||
		errors.As(err, &record) || errors.As(err, &alert) || errors.Is(err, ErrSchemeMismatch)
}

// defaultRetryAfter is used for a master without a leader that sends no Retry-After.
const (
	defaultRetryAfter = 250 * time.Millisecond
	maxRetryAfter     = 30 * time.Second
)

// refusal reads an error answer: a *ffrtmp.Error, or a *failure if another try may succeed.
func refusal(resp *http.Response, body io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(body, 64<<10))
	if err != nil {
		return &failure{err: err, unknown: true}
	}
	var wire struct {
		Error string      `json:"error"`
		Code  ffrtmp.Code `json:"code"`
	}
	if json.Unmarshal(data, &wire) != nil || wire.Code == "" {
		return foreign(resp, wire.Error, data)
	}
	refused := ffrtmp.Errorf(wire.Code, "%s", wire.Error)
	switch wire.Code {
	case ffrtmp.NoLeader, ffrtmp.Loading, ffrtmp.RateLimited:
		return &failure{err: refused, retryAfter: retryAfter(resp.Header)}
	case ffrtmp.UnknownOutcome:
		return &failure{err: refused, unknown: true}
	}
	return refused
}

// foreign reads an error answer without a code: v2.2's, or a proxy's.
func foreign(resp *http.Response, message string, body []byte) error {
	if message == "" {
		message = strings.TrimSpace(string(body[:min(len(body), 500)]))
	}
	if message == "" {
		message = http.StatusText(resp.StatusCode)
	}
	code, ok := codes[resp.StatusCode]
	if !ok {
		code = ffrtmp.Internal
		if resp.StatusCode < 500 {
			code = ffrtmp.Invalid
		}
	}
	refused := &ffrtmp.Error{Code: code, Message: fmt.Sprintf("HTTP %d: %s", resp.StatusCode, message), Err: ErrForeign}
	if message == httpsWanted {
		return &failure{err: ErrHTTPSWanted}
	}
	switch resp.StatusCode {
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return &failure{err: refused, unknown: true}
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return &failure{
			err: refused, unknown: resp.StatusCode == http.StatusServiceUnavailable,
			retryAfter: retryAfter(resp.Header),
		}
	}
	return refused
}

// httpsWanted is the body with which net/http's server answers plain HTTP on a port for HTTPS.
const httpsWanted = "Client sent an HTTP request to an HTTPS server."

// codes are the codes by HTTP status, for answers without a code.
var codes = map[int]ffrtmp.Code{
	http.StatusBadRequest:            ffrtmp.Invalid,
	http.StatusUnauthorized:          ffrtmp.Unauthenticated,
	http.StatusForbidden:             ffrtmp.Forbidden,
	http.StatusNotFound:              ffrtmp.NotFound,
	http.StatusConflict:              ffrtmp.Conflict,
	http.StatusGone:                  ffrtmp.Compacted,
	http.StatusRequestEntityTooLarge: ffrtmp.TooLarge,
	http.StatusTooManyRequests:       ffrtmp.RateLimited,
	http.StatusServiceUnavailable:    ffrtmp.NoLeader,
	http.StatusGatewayTimeout:        ffrtmp.UnknownOutcome,
	http.StatusInsufficientStorage:   ffrtmp.InsufficientStorage,
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(h.Get("Retry-After"), 64)
	if err != nil || seconds <= 0 {
		return defaultRetryAfter
	}
	return min(maxRetryAfter, time.Duration(seconds*float64(time.Second)))
}
