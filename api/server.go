// Package api is the HTTP face of a master: what users, agents and other masters
// may ask, who may ask it, and which master answers.
//
// The way of a write: an endpoint (job.go, node.go…) is reached through handler,
// which checks the request (endpoint.go), and dispatch, which carries it out here or
// sends it to the leader in one hop (forward.go). The leader's endpoint proposes a
// command (fsm.Proposer) and answers when a majority has it on disk. Errors become
// HTTP in one table (error.go).
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/limits"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
	"github.com/ffrtmp/ffrtmp/leader"
)

// Bounds on a client's time. Long polls, streams and batches have longTimeout for
// the whole instead of answerTimeout.
const (
	answerTimeout = limits.AnswerTime
	longTimeout   = 120 * time.Second
	// drainTimeout is how long Shutdown lets requests in flight finish.
	drainTimeout = 30 * time.Second
	// keyWait is how long a key that is not known here may be on its way.
	keyWait = time.Second
)

// Cluster is what the API asks of consensus and membership; cluster.Node has it.
type Cluster interface {
	ID() string
	ClusterID() string
	IsLeader() bool
	Leader() (cluster.Leader, bool)
	LeaderChanged() <-chan struct{}
	LeaderTransport() http.RoundTripper
	VerifyLeader(ctx context.Context) error
	TransferLeadership(ctx context.Context) error
	Members() []cluster.Member
	Term() uint64
	CommitIndex() uint64
	AppliedIndex() uint64
	LastContact() (time.Duration, bool)
	Ready() error
	CheckDiskSpace() error // why new jobs are refused, or nil
	DiskLow() bool
}

// Certificates is what the API asks of this master's TLS; certs.Identities has it.
type Certificates interface {
	// Health returns what an operator should see to, and an error when it is too late.
	Health() (warnings []string, err error)
}

// Config is what a Server is made of. All but TLS, Certificates, MaxConnections, Tracer and
// Registerer are required.
type Config struct {
	State    *fsm.FSM
	Proposer *fsm.Proposer
	Leader   *leader.Service
	Cluster  Cluster
	Keys     Authenticator
	TLS      *tls.Config // nil: plain HTTP
	Logger   hclog.Logger
	Tracer   *tracing.Tracer // nil: no traces
	Version  string
	Name     string // of the cluster
	LeaseTTL time.Duration

	Certificates   Certificates
	MaxConnections int // at once; 0: no bound

	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // served by MetricsHandler
}

// Server answers HTTP requests. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	mux      *http.ServeMux
	routes   map[string]bool // patterns of endpoints, as opposed to those of noRoute
	http     *http.Server
	metrics  *metrics
	rates    rates
	leader   http.RoundTripper // to the leader
	inFlight inFlight

	eventStreams chan struct{} // one token for each that is open
	keepAlive    time.Duration // keepAliveInterval, but for tests

	stopping context.Context // done when long polls are to end
	stop     context.CancelFunc
	started  time.Time
	keyWait  time.Duration

	authFailures rate.Sometimes // how often one is logged
}

// New returns a server that does not listen yet.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), routes: map[string]bool{}, started: time.Now(), keyWait: keyWait,
		authFailures: rate.Sometimes{First: 10, Interval: time.Second},
		eventStreams: make(chan struct{}, maxEventStreams), keepAlive: keepAliveInterval,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(s, cfg.Registerer)
	s.leader = cfg.Tracer.Transport(leaderTransport{cfg.Cluster}, "forward")
	s.routeAll()
	s.http = limits.Server(s.Handler(), cfg.Logger)
	s.http.TLSConfig = cfg.TLS
	s.http.MaxHeaderBytes = hardMaxHeader
	s.http.DisableGeneralOptionsHandler = true
	if cfg.MaxConnections > 0 {
		s.metrics.connections(cfg.Registerer, limits.Bound(s.http, cfg.MaxConnections))
	}
	return s
}

// Serve answers on l until Shutdown, with TLS when the server has a configuration
// for it. It returns nil after Shutdown.
func (s *Server) Serve(l net.Listener) error {
	serve := s.http.Serve
	if s.cfg.TLS != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops listening, ends long polls early, and lets other requests finish,
// forwarded ones too, until ctx is done or drainTimeout is over; what is left then is
// cut off.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(err, s.http.Close())
	}
	return s.inFlight.wait(ctx)
}
