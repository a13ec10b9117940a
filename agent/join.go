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

// probeMachine finds out what this machine can do. Trial encodes take seconds the first
// time; then they are remembered.
func (a *Agent) probeMachine(ctx context.Context) error {
	encoders, err := probe.Encoders(ctx, a.tools, a.state.dir)
	if err != nil {
		return fmt.Errorf("trying encoders: %w", err)
	}
	a.facts, err = probe.Machine(encoders)
	if err != nil {
		return fmt.Errorf("looking at the machine: %w", err)
	}
	a.encoders = encoders
	a.log.Info("this machine", "ffmpeg", a.tools.Version, "encoders", encoders, "cpu", a.facts.CPUModel, "threads", a.facts.CPUThreads, "gpu", a.facts.GPUType)
	if len(encoders) == 0 {
		a.log.Warn("none of ffmpeg's encoders works here: no job that encodes will come to this node", "ffmpeg", a.tools.FFmpeg)
	}
	return nil
}

// join registers the node, for as long as that takes. It fails only when the
// masters are another cluster's or never will take it, or with the context.
func (a *Agent) join(ctx context.Context) error {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		answer, err := a.client.Register(ctx, ffrtmp.Registration{
			NodeID:            a.state.nodeID,
			Name:              a.cfg.Name,
			Address:           a.cfg.Name,
			CPUThreads:        a.facts.CPUThreads,
			CPUModel:          a.facts.CPUModel,
			HasGPU:            a.facts.HasGPU,
			GPUType:           a.facts.GPUType,
			GPUCapabilities:   a.facts.GPUCapabilities,
			RAMTotalBytes:     a.facts.RAMTotalBytes,
			Labels:            a.cfg.Labels,
			MaxConcurrentJobs: a.cfg.MaxConcurrentJobs,
			Encoders:          a.encoders,
			Version:           a.cfg.Version,
		})
		if err == nil {
			if err := a.updateMasters(answer.ClusterID, answer.Masters, answer.LeaseTTLSeconds); err != nil {
				return err
			}
			a.log.Info("registered", "node_id", a.state.nodeID, "cluster_id", answer.ClusterID, "masters", a.client.Masters())
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if ffrtmp.CodeOf(err) == ffrtmp.Invalid {
			return fmt.Errorf("the masters refuse this node: %w", err)
		}
		a.log.Warn("not registered, trying again", "error", err)
		if err := ctxtime.Sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// updateMasters keeps what masters say of themselves, over restarts too. It fails only
// when they are another cluster's.
func (a *Agent) updateMasters(clusterID string, masters []string, leaseTTL float64) error {
	if err := a.state.pin(clusterID, masters); errors.Is(err, errOtherCluster) {
		return err
	} else if err != nil {
		a.log.Error("the masters' addresses could not be kept", "error", err)
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
