package client

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// newTransport returns a transport that notices a frozen or unreachable master
// within about four seconds, even in the middle of a long poll: HTTP/2 pings are
// answered by the other process, whereas TCP is kept up by its kernel.
func newTransport(config *tls.Config) *http.Transport {
	if config != nil {
		config = config.Clone()
	}
	dialer := net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   3 * time.Second,
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
