package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// join registers the node and retries until it succeeds. It fails only when the
// masters belong to another cluster or reject the node, or when the context ends.
func (a *Agent) join(ctx context.Context) error {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		answer, err := a.register(ctx)
		if err == nil {
			err := a.updateMasters(answer.ClusterID, answer.FormerClusters, answer.Masters, answer.LeaseTTLSeconds)
			if err != nil {
				return err
			}
			a.log.Info("registered", "node_id", a.state.nodeID, "cluster_id", answer.ClusterID, "masters",
				a.client.Masters(), "encoders", answer.Encoders)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if ffrtmp.CodeOf(err) == ffrtmp.Invalid {
			return fmt.Errorf("register: %w", err)
		}
		a.log.Warn("registration failed; retrying", "error", err)
		if err := ctxtime.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// register sends one registration. They are sent one by one: a later one knows at least as many encoders.
func (a *Agent) register(ctx context.Context) (ffrtmp.Registered, error) {
	a.registering.Lock()
	defer a.registering.Unlock()
	return a.client.Register(ctx, a.registration())
}

// registration describes the node. Media roots that cannot be declared are left out: the masters then learn from
// results which files the node cannot use.
func (a *Agent) registration() ffrtmp.Registration {
	encoders := a.working()
	gpu := probe.GPUOf(encoders)
	r := ffrtmp.Registration{
		NodeID: a.state.nodeID,
		Machine: ffrtmp.Machine{
			Name:              a.cfg.Name,
			Address:           a.cfg.Name,
			CPUThreads:        a.facts.CPUThreads,
			CPUModel:          a.facts.CPUModel,
			HasGPU:            gpu.Has,
			GPUType:           gpu.Type,
			GPUCapabilities:   gpu.Capabilities,
			RAMTotalBytes:     a.facts.RAMTotalBytes,
			Labels:            a.cfg.Labels,
			MaxConcurrentJobs: a.cfg.MaxConcurrentJobs,
			Encoders:          encoders,
			MediaRoots:        a.roots.Paths(),
			Version:           a.cfg.Version,
		},
	}
	if err := r.CheckMediaRoots(); err != nil {
		a.log.Warn("media roots are not declared", "error", err)
		r.MediaRoots = nil
	}
	return r
}

// updateMasters stores the masters' addresses and lease TTL. It fails only when the
// masters belong to another cluster.
func (a *Agent) updateMasters(clusterID string, former, masters []string, leaseTTL float64) error {
	if err := a.state.pin(clusterID, former, masters); errors.Is(err, errOtherCluster) {
		return err
	} else if err != nil {
		a.log.Error("cannot store the addresses of the masters", "error", err)
	}
	if len(masters) > 0 {
		a.client.SetMasters(masters)
	}
	if leaseTTL > 0 {
		a.mu.Lock()
		a.leaseTTL = time.Duration(leaseTTL * float64(time.Second))
		a.mu.Unlock()
	}
	return nil
}
