package agent

import (
	"context"
	"errors"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/tracing"
)

// Phases of an attempt that only the agent knows; the others are the supervisor's.
const (
	startingPhase  = "starting"
	verifyingPhase = "verifying"
)

// attempt is one that the node holds.
type attempt struct {
	attemptID
	job    ffrtmp.Job
	dir    attemptDir
	log    hclog.Logger
	span   tracing.Span
	listed chan struct{} // closed once a master has taken a heartbeat that lists it
	gone   chan struct{} // closed once the node does not hold it any more

	// ctx ends with the agent, or by fence.
	ctx context.Context
	end context.CancelCauseFunc

	mu       sync.Mutex
	process  *supervisor.Process // nil before it is started or found
	phase    string              // "" while the supervisor knows it
	changing bool                // a pause or resume is under way
	logAt    int64               // log bytes that the leader has
}

// stopError ends an attempt that is no longer the node's, or no longer wanted.
type stopError struct{ verb ffrtmp.Verb }

func (f *stopError) Error() string { return "the masters asked to " + string(f.verb) }

// stopCommand returns why the attempt was ended by the masters, nil when it was not.
func (at *attempt) stopCommand() *stopError {
	var f *stopError
	if errors.As(context.Cause(at.ctx), &f) {
		return f
	}
	return nil
}

func (at *attempt) running() *supervisor.Process {
	at.mu.Lock()
	defer at.mu.Unlock()
	return at.process
}

func (at *attempt) attach(p *supervisor.Process) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.process, at.phase = p, ""
}

func (at *attempt) enter(phase string) {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.phase = phase
}

// beginChange reports whether the caller may pause or resume: one at a time.
func (at *attempt) beginChange() bool {
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.changing || at.process == nil {
		return false
	}
	at.changing = true
	return true
}

func (at *attempt) endChange() {
	at.mu.Lock()
	defer at.mu.Unlock()
	at.changing = false
}
