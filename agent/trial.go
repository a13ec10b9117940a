package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// probeMachine finds the machine's size, and the encoders that earlier trials found to work. It reports whether there
// were such trials.
func (a *Agent) probeMachine() (tried bool, err error) {
	if a.facts, err = probe.Machine(); err != nil {
		return false, fmt.Errorf("probe machine: %w", err)
	}
	a.log.Info("probed machine", "ffmpeg", a.tools.Version, "cpu", a.facts.CPUModel, "threads", a.facts.CPUThreads)
	encoders, tried := probe.Cached(a.tools, a.state.dir)
	if tried {
		a.setWorking(encoders)
		a.warnNoEncoder(encoders)
	}
	return tried, nil
}

func (a *Agent) setWorking(encoders []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.encoders = encoders
}

// working returns the encoders that are known to work.
func (a *Agent) working() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.encoders
}

func (a *Agent) warnNoEncoder(encoders []string) {
	if len(encoders) == 0 {
		a.log.Warn("no encoder works; this node will get no encoding jobs", "ffmpeg", a.tools.FFmpeg)
	}
}

// tryEncoders tries encoders until it knows which ones work, or the context ends. That takes seconds, or minutes on a
// busy machine; meanwhile the node gets the jobs for which those found so far are enough.
func (a *Agent) tryEncoders(ctx context.Context) {
	for pause := 10 * time.Second; ; pause = min(2*pause, 10*time.Minute) {
		a.log.Info("trying encoders; jobs wait for the one that they need", "ffmpeg", a.tools.FFmpeg)
		encoders, err := a.trials(ctx)
		if err == nil {
			a.log.Info("tried encoders", "working", encoders)
			a.warnNoEncoder(encoders)
			return
		}
		if ctx.Err() != nil {
			return
		}
		a.log.Error("cannot try encoders; retrying", "error", err, "pause", pause)
		if ctxtime.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// declareEncoders registers the node again, until that succeeds or the context ends.
func (a *Agent) declareEncoders(ctx context.Context) {
	for {
		err := a.join(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case ffrtmp.CodeOf(err) == ffrtmp.Invalid:
			a.fail(err)
			return
		}
		a.log.Warn("cannot declare the encoders that work; retrying", "error", err)
		if ctxtime.Sleep(ctx, 30*time.Second) != nil {
			return
		}
	}
}

// trials tries all encoders, and registers the node again whenever more are known to work.
func (a *Agent) trials(ctx context.Context) ([]string, error) {
	more := make(chan struct{}, 1)
	var registering sync.WaitGroup
	registering.Go(func() {
		for range more {
			a.declareEncoders(ctx)
		}
	})
	encoders, err := probe.Encoders(ctx, a.tools, a.state.dir, func(working []string) {
		a.setWorking(working)
		select {
		case more <- struct{}{}:
		default:
		}
	})
	close(more)
	registering.Wait()
	return encoders, err
}
