package api

import (
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/limits"
)

// Headers of a forwarded request.
const (
	sourceHeader    = "X-Ffrtmp-Source"    // address of the client
	forwardedHeader = "X-Ffrtmp-Forwarded" // node id of the master that sent it
)

// Bounds on a request's header, its first line included. Above maxHeader we answer with a problem;
// above hardMaxHeader net/http answers with plain text.
const (
	maxHeader     = limits.HeaderBytes
	hardMaxHeader = 2 * maxHeader
)

// headerBytes is the approximate length of a request's header.
func headerBytes(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return n
}

// setHeaders sets which master answers and from which state. A write sets its own index
// later.
func (s *Server) setHeaders(h http.Header) {
	leader, known := s.cfg.Cluster.Leader()
	h.Set(ffrtmp.IndexHeader, strconv.FormatUint(s.cfg.State.Index(), 10))
	h.Set(ffrtmp.KnownLeaderHeader, strconv.FormatBool(known))
	h.Set(ffrtmp.ServedByHeader, s.cfg.Cluster.ID())
	h.Del(ffrtmp.LeaderHeader)
	if known {
		h.Set(ffrtmp.LeaderHeader, leader.APIURL)
	}
	h.Del(ffrtmp.LastContactHeader)
	if age, ok := s.cfg.Cluster.LastContact(); ok {
		h.Set(ffrtmp.LastContactHeader, strconv.FormatInt(age.Milliseconds(), 10))
	}
}

// hopByHop headers are not forwarded.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Proxy-Connection",
}

// copyEndToEnd copies all headers but the hop-by-hop ones.
func copyEndToEnd(to, from http.Header) {
	skip := map[string]bool{}
	for _, name := range hopByHop {
		skip[name] = true
	}
	for _, list := range from["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			skip[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	for name, values := range from {
		if !skip[name] {
			to[name] = values
		}
	}
}

// dropForged removes headers that only a master may set on a request.
func dropForged(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Ffrtmp-") || strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" {
			delete(h, name)
		}
	}
}

// sourceOf returns the client's address as seen by the master that the client connected to.
func sourceOf(r *http.Request) string {
	if isForwarded(r.Context()) {
		return r.Header.Get(sourceHeader)
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
