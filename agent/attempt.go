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

// startingPhase is a phase that only the agent knows; the supervisor reports others.
const startingPhase = "starting"

// attempt is a claimed attempt of this node.
type attempt struct {
	attemptID
	job    ffrtmp.Job
	dir    attemptDir
	log    hclog.Logger
	span   tracing.Span
	listed chan struct{} // closed once a master has accepted a heartbeat that lists it
	gone   chan struct{} // closed once the attempt has left its slot

	// ctx ends with the agent or by a stopError.
	ctx context.Context
	end context.CancelCauseFunc

	mu       sync.Mutex
	process  *supervisor.Process // nil until it is started or found
	phase    string              // "" while the supervisor reports it
	changing bool                // a pause or resume is running
	logAt    int64               // log bytes that the leader has received
}

// stopError ends an attempt that was canceled or now belongs to another node.
type stopError struct{ verb ffrtmp.Verb }

func (f *stopError) Error() string { return "the masters asked to " + string(f.verb) }

// stopCommand returns the masters' command that ended the attempt, or nil.
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
