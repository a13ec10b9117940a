package client

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout      = 2 * time.Second
	handshakeTimeout = 3 * time.Second
)

// newTransport returns a transport that detects a frozen or unreachable master within about four seconds, even in a
// long poll: HTTP/2 pings are answered by the process, TCP keep-alives only by its kernel. dialTLS, if not nil, makes
// the connections instead of config.
func newTransport(config *tls.Config, dialTLS func(context.Context, string, string) (net.Conn, error)) *http.Transport {
	if config != nil {
		config = config.Clone()
	}
	bounded := dialTLS
	if dialTLS != nil {
		bounded = func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout+handshakeTimeout)
			defer cancel()
			return dialTLS(ctx, network, addr)
		}
	}
	dialer := net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		DialTLSContext:        bounded,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   handshakeTimeout,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          64,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: 2 * time.Second,
			PingTimeout:     2 * time.Second,
		},
	}
}
