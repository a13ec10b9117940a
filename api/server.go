// Package api is the HTTP API of a master, for users, agents and other masters.
//
// All endpoints are in one table (routes.go). A request is authenticated and checked
// (endpoint.go), then dispatched: served here or forwarded to the leader in one hop
// (forward.go). The leader's endpoint (submit.go, job.go, node.go…) proposes a command
// (fsm.Proposer) and answers once a majority has it on disk (answer.go). Errors become HTTP
// statuses in one table (error.go).
package api

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
	"github.com/ffrtmp/ffrtmp/internal/limits"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
	"github.com/ffrtmp/ffrtmp/leader"
)

// Time limits of a request. Long polls, streams and batches have longTimeout instead of
// answerTimeout.
const (
	answerTimeout = limits.AnswerTime
	longTimeout   = 120 * time.Second
	// drainTimeout is how long Shutdown waits for requests in flight.
	drainTimeout = 30 * time.Second
	// connectionGrace is how long it waits for connections once no request is in flight.
	connectionGrace = 5 * time.Second
	// keyWait is how long a request waits for its key to be replicated to this master.
	keyWait = time.Second
)

// Cluster is the part of consensus and membership that the API uses. cluster.Node implements it;
// tests use a fake to choose the leader.
type Cluster interface {
	ID() string
	Name() string
	ClusterID() string
	IsLeader() bool
	Leader() (cluster.Leader, bool)
	LeaderChanged() <-chan struct{}
	LeaderTransport() http.RoundTripper
	VerifyLeader(ctx context.Context) error
	CheckLease() error // nil if no other master can lead now
	TransferLeadership(ctx context.Context, member string) error
	Plan(change cluster.Change, member string) (cluster.Plan, error) // asks every master, too
	Carry(ctx context.Context, p cluster.Plan) error
	Autopilot() cluster.Autopilot
	CommandLevel() int
	GossipKeys(ctx context.Context) (cluster.GossipKeys, error) // asks every master
	ChangeGossipKeys(ctx context.Context, change cluster.KeyChange) (cluster.KeyChanged, error)
	InstalledGossipKey(ctx context.Context, r cluster.KeyRequest) ([]byte, error)
	Warnings() []string
	Misfits() []string         // other masters that this one cannot work with
	Members() []cluster.Member // asks every master, which may take half a second
	LeaderChanges() []cluster.LeaderChange
	APIURLs() []string
	Role() string
	Term() uint64
	CommitIndex() uint64
	AppliedIndex() uint64
	LastContact() (time.Duration, bool)
	Ready() error
	CheckDiskSpace() error // why new jobs are refused, or nil
	DiskLow() bool
}

// Certificates reports the state of this master's certificates. certs.Identities implements it;
// tests use a fake with expired ones.
type Certificates interface {
	// Health returns warnings about certificates that expire soon, and an error about
	// expired ones.
	Health() (warnings []string, err error)
}

// Config configures a Server. All but Backups, Certificates, MediaRoots, Tracer and Registerer are required.
type Config struct {
	State    *fsm.FSM
	Proposer *fsm.Proposer
	Leader   *leader.Service
	Cluster  Cluster
	Keys     Authenticator
	Port     *Port // the API's
	Logger   hclog.Logger
	Tracer   *tracing.Tracer // nil: no traces
	Version  string
	Name     string // of the cluster
	LeaseTTL time.Duration

	Backups      func() ffrtmp.Backups // nil: no backups on a schedule
	StateWarning func() string         // that the masters' states differ, or ""; may be nil
	Certificates Certificates

	MediaRoots []string // absolute directories whose outputs are served

	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer // served by MetricsHandler
}

// Server answers HTTP requests. Its methods may be called from any goroutine.
type Server struct {
	cfg      Config
	mux      *http.ServeMux
	routes   map[string]bool // patterns of endpoints
	metrics  *metrics
	rates    rates
	leader   http.RoundTripper // to the leader
	inFlight inFlight
	progress progressFeed

	gossipInstalls sync.Mutex // one at a time, so that a repeated one finds the first one's key

	statistics statistics

	events       eventRing
	eventStreams chan struct{} // one token for each open stream
	catchingUp   chan struct{} // one for each that reads the state
	backingUp    atomic.Bool   // one backup at a time
	restoring    atomic.Bool   // one restore at a time
	recording    atomic.Bool   // one profile that takes time at a time
	keepAlive    time.Duration // keepAliveInterval, except in tests
	grace        time.Duration // connectionGrace, except in tests

	stopping context.Context // done at a shutdown
	stop     context.CancelFunc
	started  time.Time
	keyWait  time.Duration

	authFailures rate.Sometimes // how often one is logged
}

// New returns a server. Open makes it answer.
func New(cfg Config) *Server {
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), routes: map[string]bool{}, started: time.Now(), keyWait: keyWait,
		authFailures: rate.Sometimes{First: 10, Interval: time.Second},
		eventStreams: make(chan struct{}, maxEventStreams), catchingUp: make(chan struct{}, catchingUp),
		keepAlive: keepAliveInterval, grace: connectionGrace,
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.metrics = newMetrics(s, cfg.Registerer)
	s.leader = cfg.Tracer.Transport(leaderTransport{cfg.Cluster}, "forward")
	s.routeAll()
	if cfg.Port.connections != nil {
		s.metrics.connections(cfg.Registerer, cfg.Port.connections)
	}
	return s
}

// Open answers all further requests of the API's port.
func (s *Server) Open() { s.cfg.Port.Open(s.Handler()) }

// Shutdown stops listening, ends long polls, and waits for other requests, forwarded ones
// too, until ctx is done or drainTimeout has passed. Then it closes their connections. It
// does not wait as long for clients that keep a connection busy without a request.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	idle, closeAll := context.WithCancel(ctx)
	defer closeAll()
	go func() {
		if s.inFlight.wait(idle) == nil && ctxtime.Sleep(idle, s.grace) == nil && s.inFlight.wait(idle) == nil {
			closeAll()
		}
	}()
	err := s.cfg.Port.Shutdown(idle)
	switch {
	case err != nil && idle.Err() == nil:
		return err
	case err != nil && ctx.Err() == nil:
		s.cfg.Logger.Info("closed connections that stayed busy without a request", "after", s.grace)
	}
	return s.inFlight.wait(ctx)
}
