package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp/api"
	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/limits"
	"github.com/ffrtmp/ffrtmp/internal/version"
	"github.com/ffrtmp/ffrtmp/leader"
)

// stopTimeout bounds a graceful stop: requests in flight have 30 s, then raft and
// the state are closed.
const stopTimeout = 40 * time.Second

// metricsConnections bounds those of the metrics port, which is open to anybody.
const metricsConnections = 128

// transferTimeout bounds the search for a successor on a graceful stop.
const transferTimeout = 5 * time.Second

// master is one running master. What newMaster has opened, Run closes in reverse.
type master struct {
	config   *config
	logger   hclog.Logger
	certs    certs.Identities
	keys     *keys
	state    *fsm.FSM
	proposer *fsm.Proposer
	node     *cluster.Node
	leader   *leader.Service
	server   *api.Server
	api      net.Listener
	metrics  net.Listener // nil with --metrics=false
	fatal    chan error   // the state cannot follow the log any more
	teardown []func(context.Context) error
}

// newMaster opens everything in the order in which each part needs the others:
// identity and certificates, the state, ports, and only then Raft, which begins to
// apply entries and to answer peers at once. On an error nothing is left open.
func newMaster(ctx context.Context, c *config, key string, logger hclog.Logger) (_ *master, err error) {
	m := &master{config: c, logger: logger, fatal: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close(ctx))
		}
	}()
	host, err := c.advertised()
	if err != nil {
		return nil, err
	}
	if c.tls && !c.clustered() {
		made, err := c.ensureCert()
		if err != nil {
			return nil, err
		}
		if made {
			logger.Info("made a self-signed certificate", "cert", c.files.Cert, "key", c.files.Key)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.certs.Collector("ffmpeg_master_"))

	if m.state, err = fsm.Open(fsm.Options{
		Path: c.db, Dir: c.raftDir, Logger: logger.Named("fsm"), Registerer: registry,
		Fatal: func(err error) {
			select {
			case m.fatal <- err:
			default:
			}
		},
	}); err != nil {
		return nil, err
	}
	m.onClose(func(context.Context) error { return m.state.Close() })
	if c.raftDir != "" {
		registry.MustRegister(disk(c.raftDir))
	}

	m.keys = newKeys(m.state, key)
	apiConfig := api.Config{
		State: m.state, Logger: logger.Named("api"), Version: version.Version, Name: c.cluster, LeaseTTL: c.leaseTTL,
		Keys: m.keys, Certificates: &m.certs, Registerer: registry, Gatherer: registry,
	}
	if apiConfig.MaxConnections, err = limits.HalfOfFiles(); err != nil {
		return nil, err
	}
	if c.tls {
		identity, err := m.certs.Open("api", c.files, logger.Named("tls"))
		if err != nil {
			return nil, err
		}
		apiConfig.TLS = identity.API(c.mtls)
	}
	if m.api, err = m.listen(c.bind, c.port); err != nil {
		return nil, fmt.Errorf("--port: %w", err)
	}
	if c.metrics {
		if m.metrics, err = m.listen(c.bind, c.metricsPort); err != nil {
			return nil, fmt.Errorf("--metrics-port: %w (another port, or --metrics=false)", err)
		}
	}

	// Peers may forward requests as soon as the cluster is open, before the API
	// that answers them is made from it.
	var forward atomic.Pointer[http.Handler]
	clusterConfig, err := m.clusterConfig(host, registry)
	if err != nil {
		return nil, err
	}
	clusterConfig.Forward = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := forward.Load(); h != nil {
			(*h).ServeHTTP(w, r)
			return
		}
		http.Error(w, `{"error":"this master is starting","code":"no_leader","status":503}`, http.StatusServiceUnavailable)
	})
	if m.node, err = cluster.Open(clusterConfig, m.state); err != nil {
		return nil, err
	}
	m.onClose(m.node.Close)

	tracer, err := c.tracing.Open(ctx, "ffrtmp-master", m.node.ID(), logger)
	if err != nil {
		return nil, fmt.Errorf("--tracing-endpoint: %w", err)
	}
	m.onClose(func(context.Context) error { tracer.Close(); return nil })
	apiConfig.Tracer = tracer

	m.proposer = fsm.NewProposer(m.node, fsm.ProposerOptions{
		MaxRetries: c.maxRetries, RetryBase: c.retryBase, RetryCap: c.retryCap, Level: m.node.CommandLevel,
	})
	m.leader = leader.New(leader.Config{
		State: m.state, Proposer: m.proposer, Cluster: m.node, LeaseTTL: c.leaseTTL, Retention: c.retention,
		Logger: logger.Named("leader"),
	})
	apiConfig.Proposer, apiConfig.Leader, apiConfig.Cluster = m.proposer, m.leader, m.node
	m.server = api.New(apiConfig)
	handler := m.server.ForwardHandler()
	forward.Store(&handler)

	m.announce(c, host, key != "")
	return m, nil
}

// clusterConfig reads what only masters with peers have: role certificates and gossip keys.
func (m *master) clusterConfig(host string, registry prometheus.Registerer) (cluster.Config, error) {
	c := m.config
	cfg := cluster.Config{
		NodeID: c.nodeID, Dir: c.raftDir, Cluster: c.cluster, Version: version.Version, APIURL: c.apiURL(host),
		CommandLevel: fsm.Level,
		DiskReserve:  uint64(c.diskReserve),
		Expect:       c.bootstrapExpect, Join: c.join,
		Bind: c.bind, Advertise: host, PeerPort: c.peerPort, GossipPort: c.gossipPort,
		Timing: cluster.Local, Logger: m.logger.Named("cluster"), Metrics: registry,
	}
	if c.timing == "wan" {
		cfg.Timing = cluster.WAN
	}
	if !c.clustered() {
		return cfg, nil
	}
	peer, err := m.certs.Open("peer", c.peerFiles, m.logger.Named("peer-tls"))
	if err != nil {
		return cfg, fmt.Errorf("certificate of the peer port: %w", err)
	}
	prefix := certs.RoleURI(c.cluster, certs.RoleMaster, "")
	if !slices.ContainsFunc(peer.Leaf().URIs, func(u *url.URL) bool { return strings.HasPrefix(u.String(), prefix) }) {
		return cfg, fmt.Errorf("%s does not carry the role %s<name> that the peer port demands (make one with: ffrtmp certs issue --role master --cluster %s)", c.peerFiles.Cert, prefix, c.cluster)
	}
	cfg.PeerServerTLS, cfg.PeerClientTLS = peer.Peer(c.cluster)
	if c.gossipKeyFile != "" {
		if cfg.GossipKeys, err = readGossipKeys(c.gossipKeyFile); err != nil {
			return cfg, fmt.Errorf("--gossip-key-file: %w", err)
		}
	}
	return cfg, nil
}

func (m *master) listen(host string, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	m.onClose(func(context.Context) error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return l, nil
}

func (m *master) onClose(f func(context.Context) error) { m.teardown = append(m.teardown, f) }

// announce says what has been started, in v2.2's words where it had them.
func (m *master) announce(c *config, host string, keyed bool) {
	m.logger.Info("Starting FFmpeg RTMP Distributed Master Node", "version", version.Version, "node_id", m.node.ID())
	m.logger.Info("Port: " + strconv.Itoa(c.port))
	m.logger.Info("Max Retries: " + strconv.Itoa(c.maxRetries))
	if c.db != "" {
		path, err := filepath.Abs(c.db)
		if err != nil {
			path = c.db
		}
		m.logger.Info("✓ Persistent storage enabled", "db", path, "raft_dir", c.raftDir)
	} else {
		m.logger.Warn("all state is in memory and lost when this process ends (--db \"\")")
	}
	if keyed {
		m.logger.Info("✓ API authentication enabled")
	} else {
		m.logger.Warn("the API key is empty: everybody may do everything (development)")
	}
	switch {
	case c.mtls:
		m.logger.Info("✓ TLS enabled, clients must present certificates (mTLS)")
	case c.tls:
		m.logger.Info("✓ TLS enabled")
	default:
		m.logger.Warn("TLS is off: keys and jobs travel in the clear (development)")
	}
	if c.metrics {
		m.logger.Info("✓ Metrics endpoint enabled", "address", m.metrics.Addr().String())
	}
	m.logger.Info("Master node listening on :"+strconv.Itoa(c.port), "url", c.apiURL(host))
}

// Run serves until ctx is done or something has failed that a restart must mend,
// and closes everything. It may be called once.
func (m *master) Run(ctx context.Context) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	group := &errgroup.Group{}
	fail := func(f func() error) {
		group.Go(func() error {
			err := f()
			if err != nil {
				cancel(err)
			}
			return err
		})
	}
	metrics := limits.Server(m.server.MetricsHandler(), m.logger.Named("metrics"))
	limits.Bound(metrics, metricsConnections)
	fail(func() error { return m.server.Serve(m.api) })
	if m.metrics != nil {
		fail(func() error {
			if err := metrics.Serve(m.metrics); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	scheduling, stopScheduling := context.WithCancel(context.WithoutCancel(ctx))
	defer stopScheduling()
	group.Go(func() error { m.leader.Run(scheduling); return nil })
	fail(func() error {
		select {
		case err := <-m.fatal:
			return fmt.Errorf("the state cannot follow the log: %w", err)
		case err := <-m.node.Failed():
			return fmt.Errorf("the Raft log cannot be written: %w", err)
		case <-running.Done():
			return nil
		}
	})

	<-running.Done()
	stopping, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancelStop()
	m.logger.Info("stopping")
	// Leadership goes first, so that what is in flight here is carried out by the
	// successor while the API still answers.
	if len(m.node.Members()) > 1 && m.node.IsLeader() {
		transfer, cancelTransfer := context.WithTimeout(stopping, transferTimeout)
		if err := m.node.TransferLeadership(transfer); err != nil {
			m.logger.Warn("leadership was not handed over; the others elect a leader themselves", "error", err)
		}
		cancelTransfer()
	}
	err := m.server.Shutdown(stopping)
	stopScheduling()
	err = errors.Join(err, metrics.Shutdown(stopping), group.Wait(), m.Close(stopping))
	if err == nil {
		m.logger.Info("stopped")
	}
	return err
}

// Close closes what newMaster has opened, in reverse order.
func (m *master) Close(ctx context.Context) error {
	var errs []error
	for _, f := range slices.Backward(m.teardown) {
		errs = append(errs, f(ctx))
	}
	m.teardown = nil
	return errors.Join(errs...)
}

// readGossipKeys reads base64 keys, one a line.
func readGossipKeys(path string) ([][]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var keys [][]byte
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || !slices.Contains([]int{16, 24, 32}, len(key)) {
			return nil, fmt.Errorf("key %d is not base64 of 16, 24 or 32 bytes", len(keys)+1)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no key (make one with: openssl rand -base64 32)")
	}
	return keys, nil
}
