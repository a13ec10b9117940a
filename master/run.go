package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// stopTimeout bounds a graceful stop: requests in flight have 30 s, then Raft and the state are closed.
	stopTimeout = 40 * time.Second
	// transferTimeout bounds the search for a successor within it.
	transferTimeout = 5 * time.Second
	// metricsConnections bounds those of the metrics port, which is open to anybody.
	metricsConnections = 128
)

// Run serves requests until ctx ends or something fails that only a restart can repair, and closes everything. It
// transfers leadership first and lets requests in flight finish. It may be called once.
func (m *Master) Run(ctx context.Context) error {
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	group := &errgroup.Group{}
	run := func(f func() error) {
		group.Go(func() error {
			err := f()
			if err != nil {
				fail(err)
			}
			return err
		})
	}
	m.server.Open()
	run(m.ports.api.Wait)
	if m.ports.metrics != nil {
		m.ports.metrics.Open(m.server.MetricsHandler())
		run(m.ports.metrics.Wait)
	}
	run(func() error { return m.failure(running) })
	leading, stopLeading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLeading()
	group.Go(func() error { m.leader.Run(leading); return nil })
	group.Go(func() error { m.runBackups(running); return nil })
	group.Go(func() error { m.runRebuilds(running); return nil })

	<-running.Done()
	m.logger.Info("stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	m.handOver(stopping)
	err := m.server.Shutdown(stopping)
	stopLeading()
	err = errors.Join(err, m.stopMetrics(stopping), group.Wait(), m.Close(stopping))
	if err == nil {
		m.logger.Info("stopped")
	}
	return err
}

func (m *Master) stopMetrics(ctx context.Context) error {
	if m.ports.metrics == nil {
		return nil
	}
	return m.ports.metrics.Shutdown(ctx)
}

// failure waits for what ends a master other than ctx.
func (m *Master) failure(ctx context.Context) error {
	select {
	case err := <-m.fatal:
		return fmt.Errorf("the state cannot follow the log: %w", err)
	case err := <-m.node.Failed():
		return err
	case <-ctx.Done():
		return nil
	}
}

// handOver transfers leadership before anything stops, so that the successor carries out requests in flight while the
// API still answers.
func (m *Master) handOver(ctx context.Context) {
	if len(m.node.Members()) < 2 || !m.node.IsLeader() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, transferTimeout)
	defer cancel()
	if err := m.node.TransferLeadership(ctx, ""); err != nil {
		m.logger.Warn("leadership was not transferred; the others will elect a leader", "error", err)
	}
}

// Close closes what New has opened, in reverse order. Run calls it; a master that never ran needs it. ctx bounds it.
func (m *Master) Close(ctx context.Context) error { return m.teardown.Close(ctx) }
