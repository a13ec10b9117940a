package master

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
)

// startup is how far New has come. Its methods may be called from any goroutine.
type startup struct {
	logger hclog.Logger
	began  time.Time
	phase  atomic.Pointer[string]
}

// enter begins a phase, and logs it.
func (s *startup) enter(phase string) {
	s.phase.Store(&phase)
	s.logger.Info("starting", "phase", phase)
}

// current is the phase that has begun last.
func (s *startup) current() string {
	if phase := s.phase.Load(); phase != nil {
		return *phase
	}
	return "reading the configuration"
}

// end logs how long the start took.
func (s *startup) end() {
	s.enter("ready to serve")
	s.logger.Info("started", "took", time.Since(s.began).Round(time.Millisecond))
}
