// Package limits bounds the clients of every HTTP port: their time, the size of an unauthenticated request, and the
// number of connections.
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

// Times that a client may take. A handler that means to last longer, such as a long poll, moves its own deadlines.
const (
	HeaderTime = 5 * time.Second // TLS handshake and header, each
	AnswerTime = 30 * time.Second
	IdleTime   = 120 * time.Second
)

// HeaderBytes bounds a request's header before any code of ours has seen it.
const HeaderBytes = 64 << 10

// HTTP/2 connections: requests at once on one of them, and how soon a client is missed that neither speaks nor reads.
const (
	streams     = 250
	pingTime    = 30 * time.Second
	pongTime    = 15 * time.Second
	unreadBytes = AnswerTime
)

// Server returns a server with these limits, which answers by h. What clients do wrong goes to the log at debug level.
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
