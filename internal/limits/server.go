// Package limits holds the limits of every HTTP port: the time of a request, the size of an unauthenticated request,
// and the number of connections.
//
// We limit connections ourselves because net/http has no such limit, and netutil.LimitListener stops accepting at its
// limit: clients that hold idle connections would then lock everyone else out. Connections closes the longest idle one
// instead.
package limits

import (
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Timeouts of a request. A handler that takes longer, such as a long poll, extends its own deadlines.
const (
	HeaderTime = 5 * time.Second // TLS handshake and header, each
	AnswerTime = 30 * time.Second
	IdleTime   = 120 * time.Second
)

// HeaderBytes is the maximum size of a request's header.
const HeaderBytes = 64 << 10

// Limits of an HTTP/2 connection: concurrent requests, and the timeouts for a silent client.
const (
	streams     = 250
	pingTime    = 30 * time.Second
	pongTime    = 15 * time.Second
	unreadBytes = AnswerTime
)

// Server returns a server with these limits. It logs clients' errors at debug level.
func Server(h http.Handler, logger hclog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: HeaderTime,
		ReadTimeout:       AnswerTime,
		WriteTimeout:      AnswerTime,
		IdleTimeout:       IdleTime,
		MaxHeaderBytes:    HeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams,
			SendPingTimeout:      pingTime,
			PingTimeout:          pongTime,
			WriteByteTimeout:     unreadBytes,
		},
		ErrorLog: logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}
