package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp/agent"
	"github.com/ffrtmp/ffrtmp/internal/certs"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/limits"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

// metricsConnections bounds connections to the metrics port, which needs no key.
const metricsConnections = 128

// start runs an agent until ctx is done and it has drained.
func start(ctx context.Context, hangups <-chan os.Signal, c *config, stderr io.Writer) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	logger := c.log.Logger("agent", stderr)
	c.legacy.Warn(logger)
	cfg := agent.Config{
		Masters: c.masters, APIKey: key,
		Name: c.name, Labels: c.labels, StateDir: c.stateDir, MediaRoots: c.mediaRoots, FFmpeg: c.ffmpeg,
		MaxConcurrentJobs: c.maxConcurrentJobs, PollInterval: c.pollInterval,
		HeartbeatInterval: c.heartbeatInterval, DrainTimeout: c.drainTimeout,
		Version: version.Version, Logger: logger,
	}
	if err := c.trust(&cfg, logger); err != nil {
		return err
	}
	if cfg.Tracer, err = c.tracing.Open(ctx, "ffrtmp-agent", c.name, logger); err != nil {
		return fmt.Errorf("--tracing-endpoint: %w", err)
	}
	defer cfg.Tracer.Close()
	a, err := agent.New(cfg) //nolint:contextcheck // finding ffmpeg has a timeout of its own
	if err != nil {
		return err
	}
	logger.Info("starting", "version", version.Version, "node_id", a.NodeID(), "masters", c.masters)
	defer flags.OnHangup(hangups, func() { c.reload(a, cfg.Identities, logger) })()
	if c.metricsPort == 0 {
		return a.Run(ctx)
	}
	l, err := net.Listen("tcp", ":"+strconv.Itoa(c.metricsPort))
	if err != nil {
		return fmt.Errorf("--metrics-port: %w (another port, or 0 for none)", err)
	}
	server := limits.Server(a.Handler(), logger.Named("metrics"))
	limits.Bound(server, metricsConnections)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	err = a.Run(running) // ends early when the metrics server fails
	return errors.Join(err, server.Close(), group.Wait())
}

// reload rereads certificates and the API key. On an error it keeps the old ones.
func (c *config) reload(a *agent.Agent, identities *certs.Identities, logger hclog.Logger) {
	logger.Info("reloading certificates and API key (SIGHUP)")
	if err := identities.Reload(); err != nil {
		logger.Error("cannot reload certificates; keeping the old ones", "error", err)
	}
	switch key, err := c.key(); {
	case err != nil:
		logger.Error("cannot read the API key; keeping the old one", "error", err)
	case key == "":
		logger.Warn("the API key is empty; keeping the old one")
	default:
		a.SetAPIKey(key)
	}
}

// trust makes the agent verify the masters by the current --ca, unless
// --insecure-skip-verify is set.
func (c *config) trust(a *agent.Config, logger hclog.Logger) error {
	a.Identities = &certs.Identities{}
	store, err := a.Identities.Open("client", c.files, logger.Named("tls"))
	if err != nil {
		return err
	}
	if !c.insecureSkipVerify {
		a.DialTLS = store.DialTLS
		return nil
	}
	logger.Warn("certificates of masters are not verified (--insecure-skip-verify)")
	a.TLS = store.Client()
	a.TLS.InsecureSkipVerify = true
	return nil
}
