package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/limits"
)

// PortConfig configures a Port. Logger is required.
type PortConfig struct {
	TLS            *tls.Config // nil: plain HTTP
	MaxConnections int         // 0: no limit
	Version        string
	Phase          func() string // what the starting master is doing; nil: nothing in particular
	Logger         hclog.Logger
}

// Port serves one port of a master from the beginning of its process. Until Open is called it answers that the master
// is alive but loading its state, so that clients turn to another master and operators see why.
type Port struct {
	cfg         PortConfig
	http        *http.Server
	connections *limits.Connections // nil: no limit
	handler     atomic.Pointer[http.Handler]
	ended       chan struct{} // closed when serving has ended; nil before Start
	err         error         // why; read it after ended
}

// NewPort returns a port. Start makes it answer.
func NewPort(cfg PortConfig) *Port {
	p := &Port{cfg: cfg}
	p.http = limits.Server(http.HandlerFunc(p.dispatch), cfg.Logger)
	p.http.TLSConfig = cfg.TLS
	p.http.MaxHeaderBytes = hardMaxHeader
	p.http.DisableGeneralOptionsHandler = true
	if cfg.MaxConnections > 0 {
		p.connections = limits.Bound(p.http, cfg.MaxConnections)
	}
	return p
}

// Start answers on l until Shutdown or Close, with TLS if PortConfig.TLS is set. Call it once.
func (p *Port) Start(l net.Listener) {
	serve := p.http.Serve
	if p.cfg.TLS != nil {
		serve = func(l net.Listener) error { return p.http.ServeTLS(l, "", "") }
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.err = err
		}
	}()
}

// Open hands all further requests to h.
func (p *Port) Open(h http.Handler) { p.handler.Store(&h) }

// Wait waits until the port is shut down or has failed, and returns the failure.
func (p *Port) Wait() error {
	if p.ended == nil {
		return nil
	}
	<-p.ended
	return p.err
}

// Shutdown stops listening and waits for the requests in flight. When ctx ends first, it closes their connections.
func (p *Port) Shutdown(ctx context.Context) error {
	if err := p.http.Shutdown(ctx); err != nil {
		return errors.Join(err, p.http.Close())
	}
	return nil
}

// Close closes the port and all its connections, if it is still open.
func (p *Port) Close() error { return errors.Join(p.http.Close(), p.Wait()) }

func (p *Port) dispatch(w http.ResponseWriter, r *http.Request) {
	if h := p.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	w.Header().Set(ffrtmp.RequestIDHeader, requestID(r))
	p.loading(w, r)
}

// loading answers for a master that is starting.
func (p *Port) loading(w http.ResponseWriter, r *http.Request) {
	phase := "starting"
	if p.cfg.Phase != nil {
		phase = p.cfg.Phase()
	}
	refused := ffrtmp.Errorf(ffrtmp.Loading, "this master is starting: %s", phase)
	health := ffrtmp.Health{Status: "healthy", Role: "starting", Version: p.cfg.Version, Reasons: []string{phase}}
	switch r.URL.Path {
	case "/health", "/health/live":
		writeJSON(w, http.StatusOK, health)
	case "/health/ready", "/health/leader":
		health.Status, health.Code, health.Error = "loading", refused.Code, refused.Message
		w.Header().Set("Retry-After", retryAfter)
		writeJSON(w, http.StatusServiceUnavailable, health)
	default:
		writeError(w, refused)
	}
}
