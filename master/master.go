package master

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/ffrtmp/ffrtmp/api"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/backup"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/limits"
	"github.com/ffrtmp/ffrtmp/internal/teardown"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
	"github.com/ffrtmp/ffrtmp/internal/version"
	"github.com/ffrtmp/ffrtmp/leader"
	"github.com/ffrtmp/ffrtmp/ui"
)

// Master is one running master. Close, or the end of Run, closes what New has opened.
type Master struct {
	config   Config
	host     string // that others dial
	logger   hclog.Logger
	registry *prometheus.Registry
	certs    certs.Identities
	keys     *keys
	state    *fsm.FSM
	node     *cluster.Node
	proposer *fsm.Proposer
	leader   *leader.Service
	checks   *leader.StateChecks
	rebuilds rebuilds
	backups  *backup.Schedule // nil without Config.BackupURL
	server   *api.Server
	tracer   *tracing.Tracer
	api      net.Listener
	metrics  net.Listener // nil without Config.Metrics
	ports    struct{ api, metrics *api.Port }
	startup  startup
	fatal    chan error // the state cannot follow the log any more
	teardown teardown.Stack
}

// New opens a master. It listens on its ports at once; until Run is called they answer that the master is loading. An
// invalid Config gives a *ConfigError. On an error nothing is left open.
func New(ctx context.Context, c Config) (_ *Master, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Master{config: c.complete(), registry: prometheus.NewRegistry(), fatal: make(chan error, 1)}
	m.logger = m.config.Logger
	m.startup = startup{logger: m.logger, began: time.Now()}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close(ctx))
		}
	}()
	if m.host, err = m.config.advertised(); err != nil {
		return nil, err
	}
	key, err := m.config.readAPIKey()
	if err != nil {
		return nil, err
	}
	if err := m.open(ctx, key); err != nil {
		return nil, err
	}
	m.announce(key != "")
	return m, nil
}

// open opens each part after those that it needs: certificates, ports, the state, and only then Raft, which begins to
// apply entries and to answer peers at once. That the ports are free is checked before anything is written.
func (m *Master) open(ctx context.Context, key string) error {
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.certs.Collector("ffmpeg_master_"))
	if err := m.checkPorts(ctx); err != nil {
		return err
	}
	if err := m.makeCertificate(); err != nil {
		return err
	}
	if err := m.listen(); err != nil {
		return err
	}
	if err := m.openState(); err != nil { //nolint:contextcheck // the state outlives New
		return err
	}
	m.keys = newKeys(m.state, key)
	forward, err := m.openCluster() //nolint:contextcheck // Raft outlives New
	if err != nil {
		return err
	}
	if err := m.openTracer(ctx); err != nil {
		return err
	}
	if err := m.openBackups(); err != nil {
		return err
	}
	if err := m.serve(); err != nil { //nolint:contextcheck // requests bring their own context
		return err
	}
	handler := m.server.ForwardHandler()
	forward.Store(&handler)
	m.startup.end()
	return nil
}

func (m *Master) makeCertificate() error {
	if !m.config.TLS || m.config.clustered() {
		return nil
	}
	made, err := ensureCertificate(m.config)
	if made && err == nil {
		m.logger.Info("made a self-signed certificate", "cert", m.config.Files.Cert, "key", m.config.Files.Key)
	}
	return err
}

func (m *Master) openState() (err error) {
	m.startup.enter("loading the unfinished jobs")
	m.state, err = fsm.Open(fsm.Options{
		Path: m.config.DB, Dir: m.config.RaftDir, Logger: m.logger.Named("fsm"), Registerer: m.registry,
		Fatal: func(err error) {
			select {
			case m.fatal <- err:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	m.teardown.PushClose(m.state.Close)
	if m.config.RaftDir != "" {
		m.registry.MustRegister(disk(m.config.RaftDir))
	}
	return nil
}

// apiConfig is the API's configuration but for what Raft gives it.
func (m *Master) apiConfig() (api.Config, error) {
	roots, err := mediaRoots(m.config.MediaRoots)
	return api.Config{
		Port: m.ports.api, State: m.state, Logger: m.logger.Named("api"), Version: version.Version, MediaRoots: roots,
		Name: m.config.Cluster, LeaseTTL: m.config.LeaseTTL,
		Keys: m.keys, Certificates: &m.certs, Registerer: m.registry, Gatherer: m.registry,
	}, err
}

// portConfig is the configuration of the API's port.
func (m *Master) portConfig() (c api.PortConfig, err error) {
	c = api.PortConfig{Version: version.Version, Phase: m.startup.current, Logger: m.logger.Named("api")}
	if c.MaxConnections, err = limits.HalfOfFiles(); err != nil || !m.config.TLS {
		return c, err
	}
	identity, err := m.certs.Open("api", m.config.Files.internal(), m.logger.Named("tls"))
	if err != nil {
		return c, err
	}
	m.warnUnnamed(identity.Leaf())
	c.TLS = identity.API(m.config.MTLS)
	return c, nil
}

// listen opens the ports for clients and for metrics. Both answer from now on, that this master is loading.
func (m *Master) listen() error {
	c, err := m.portConfig()
	if err != nil {
		return err
	}
	if m.api, err = m.listenOn(m.config.Port); err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	m.ports.api = m.openPort(c, m.api)
	if !m.config.Metrics {
		return nil
	}
	if m.metrics, err = m.listenOn(m.config.MetricsPort); err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	c.TLS, c.MaxConnections, c.Logger = nil, metricsConnections, m.logger.Named("metrics")
	m.ports.metrics = m.openPort(c, m.metrics)
	return nil
}

func (m *Master) openPort(c api.PortConfig, l net.Listener) *api.Port {
	p := api.NewPort(c)
	p.Start(l)
	m.teardown.PushClose(p.Close)
	return p
}

func (m *Master) listenOn(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(m.config.Bind, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	m.teardown.PushClose(func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

// openCluster starts Raft. Peers may forward requests from then on, before the API exists: the caller stores its
// handler in the returned pointer.
func (m *Master) openCluster() (*atomic.Pointer[http.Handler], error) {
	c, err := m.clusterConfig()
	if err != nil {
		return nil, err
	}
	forward := &atomic.Pointer[http.Handler]{}
	m.rebuilds = newRebuilds(m.registry)
	c.Replica = m.replica()
	c.Forward = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := forward.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		const starting = `{"error":"this master is starting","code":"no_leader","status":503}`
		http.Error(w, starting, http.StatusServiceUnavailable)
	})
	if m.node, err = cluster.Open(c, m.state); err != nil {
		return nil, err
	}
	m.teardown.Push(m.node.Close)
	return forward, nil
}

func (m *Master) clusterConfig() (cluster.Config, error) {
	c := m.config
	cfg := cluster.Config{
		NodeID: c.NodeID, Name: c.Name, Nonvoter: c.Nonvoter, Settings: m.state.Setting, Dir: c.RaftDir,
		Cluster: c.Cluster, Version: version.Version, APIURL: m.URL(),
		MetricsPort: m.metricsPort(), CommandLevel: fsm.Level,
		DiskReserve: c.DiskReserve, Certificates: m.certs.Expiry,
		Expect: c.BootstrapExpect, Join: c.Join,
		Bind: c.Bind, Advertise: m.host, PeerPort: c.PeerPort, GossipPort: c.GossipPort, GossipKeys: c.GossipKeys,
		Timing: cluster.Local, Phase: m.startup.enter, Logger: m.logger.Named("cluster"), Metrics: m.registry,
	}
	if c.WAN {
		cfg.Timing = cluster.WAN
	}
	if !c.clustered() {
		return cfg, nil
	}
	peer, err := m.peerIdentity()
	if err != nil {
		return cfg, err
	}
	cfg.PeerServerTLS, cfg.PeerClientTLS = peer.Peer(c.Cluster)
	return cfg, nil
}

// peerIdentity opens the certificate of the peer port, which must carry a master's role.
func (m *Master) peerIdentity() (*certs.Store, error) {
	c := m.config
	peer, err := m.certs.Open("peer", c.PeerFiles.internal(), m.logger.Named("peer-tls"))
	if err != nil {
		return nil, fmt.Errorf("certificate of the peer port: %w", err)
	}
	prefix := certs.RoleURI(c.Cluster, certs.RoleMaster, "")
	if !slices.ContainsFunc(peer.Leaf().URIs, func(u *url.URL) bool { return strings.HasPrefix(u.String(), prefix) }) {
		return nil, fmt.Errorf("%s does not carry the role %s<name> that the peer port demands "+
			"(make one with: ffrtmp certs issue --role master --cluster %s)", c.PeerFiles.Cert, prefix, c.Cluster)
	}
	return peer, nil
}

func (m *Master) openTracer(ctx context.Context) (err error) {
	m.tracer, err = tracing.Open(ctx, tracing.Config{
		Endpoint: m.config.TracingEndpoint, Service: "ffrtmp-master", Instance: m.node.ID(), Version: version.Version,
		Logger: m.logger.Named("tracing"),
	})
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	m.teardown.PushClose(func() error { //nolint:contextcheck // the last traces are sent after ctx has ended
		m.tracer.Close()
		return nil
	})
	return nil
}

// serve makes the leader's work and the API from the parts that are open.
func (m *Master) serve() error {
	m.proposer = fsm.NewProposer(m.node, fsm.ProposerOptions{
		MaxRetries: m.config.MaxRetries, RetryBase: m.config.RetryBase, RetryCap: m.config.RetryCap,
		Level: m.node.CommandLevel,
	})
	m.checks = leader.NewStateChecks(m.registry)
	m.leader = leader.New(leader.Config{
		Replicas: replicas{m.node}, CheckInterval: m.config.StateCheckInterval, Checks: m.checks,
		State: m.state, Proposer: m.proposer, Cluster: m.node, LeaseTTL: m.config.LeaseTTL,
		Retention: m.config.Retention, Logger: m.logger.Named("leader"),
	})
	c, err := m.apiConfig()
	if err != nil {
		return fmt.Errorf("media roots: %w", err)
	}
	c.Tracer, c.Proposer, c.Leader, c.Cluster = m.tracer, m.proposer, m.leader, m.node
	c.StateWarning = m.checks.Warning
	if m.backups != nil {
		c.Backups = m.backupStatus
	}
	m.server = api.New(c)
	console, err := ui.New(ui.Config{
		API: m.server.Handler(), Masters: m.node.APIURLs, Self: m.node.Name, Cluster: m.config.Cluster,
		Secure: m.config.TLS, Version: version.Version, Logger: m.logger.Named("ui"),
	})
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	m.server.MountConsole(console)
	return nil
}

// URL is where clients reach this master's API.
func (m *Master) URL() string {
	scheme := "https"
	if !m.config.TLS {
		scheme = "http"
	}
	return scheme + "://" + net.JoinHostPort(m.host, strconv.Itoa(m.port()))
}

// MetricsAddr is the host:port that serves metrics, "" without Config.Metrics.
func (m *Master) MetricsAddr() string {
	if m.metrics == nil {
		return ""
	}
	return m.metrics.Addr().String()
}

// NodeID is this master's identity, a UUID.
func (m *Master) NodeID() string { return m.node.ID() }

func (m *Master) port() int { return portOf(m.api) }

// metricsPort is 0 without Config.Metrics.
func (m *Master) metricsPort() int {
	if m.metrics == nil {
		return 0
	}
	return portOf(m.metrics)
}

// portOf is the port of a TCP listener.
func portOf(l net.Listener) int {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return tcp.Port
}

// announce logs what has been started, in v2.2's words where it had them.
func (m *Master) announce(keyed bool) {
	port := strconv.Itoa(m.port())
	m.logger.Info("Starting FFmpeg RTMP Distributed Master Node", "version", version.Version,
		"node_id", m.node.ID(), "name", m.node.Name())
	m.logger.Info("Port: " + port)
	m.logger.Info("Max Retries: " + strconv.Itoa(m.config.MaxRetries))
	m.announceStorage()
	m.announceSecurity(keyed)
	if m.metrics != nil {
		m.logger.Info("✓ Metrics endpoint enabled", "address", m.MetricsAddr())
	}
	m.logger.Info("Master node listening on :"+port, "url", m.URL())
}

func (m *Master) announceStorage() {
	if m.config.DB == "" {
		m.logger.Warn("all state is in memory and lost when this process ends")
		return
	}
	path, err := filepath.Abs(m.config.DB)
	if err != nil {
		path = m.config.DB
	}
	m.logger.Info("✓ Persistent storage enabled", "db", path, "raft_dir", m.config.RaftDir)
}

func (m *Master) announceSecurity(keyed bool) {
	if keyed {
		m.logger.Info("✓ API authentication enabled")
	} else {
		m.logger.Warn("no API key: anybody may do everything (development)")
	}
	switch {
	case m.config.MTLS:
		m.logger.Info("✓ TLS enabled, clients must present certificates (mTLS)")
	case m.config.TLS:
		m.logger.Info("✓ TLS enabled")
	default:
		m.logger.Warn("TLS is off: keys and jobs travel in the clear (development)")
	}
}
