package agent

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/client"
)

// Agent is one node.
type Agent struct {
	cfg    Config
	log    hclog.Logger
	state  *state
	client *client.Client
	roots  *media.Roots
	tools  probe.Tools

	// Known before the first attempt is run, and constant then.
	facts    probe.Facts
	encoders []string

	slots   *slots
	outbox  *outbox
	metrics *metrics
	leader  leader
	woken   chan struct{} // a heartbeat is due at once
	fatal   chan error    // what Run ends with

	work       context.Context // outlives Run's while it drains
	endWork    context.CancelCauseFunc
	attempts   sync.WaitGroup // one goroutine an attempt
	background sync.WaitGroup // loops and commands
	onStep     func(*attempt, step)

	mu          sync.Mutex
	leaseTTL    time.Duration
	reportEvery time.Duration
	heardAt     time.Time // a master's last answer
	renewedAt   time.Time // when the last heartbeat was sent that a master has taken
	contactErr  error     // why there is none now; nil when there is
	claimErr    error     // why nothing is claimed; nil when it is
}

// New opens the state directory and looks for ffmpeg. It talks to nobody yet.
func New(cfg Config) (*Agent, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	roots, err := media.OpenRoots(cfg.MediaRoots)
	if err != nil {
		return nil, err
	}
	tools, err := probe.FindTools(cfg.FFmpeg)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Masters:  cfg.Masters,
		APIKey:   cfg.APIKey,
		TLS:      cfg.TLS,
		DialTLS:  cfg.DialTLS,
		Patience: 5 * time.Second, // every loop here goes on by itself, with what is then true
		Logger:   cfg.Logger.Named("client"),
		Wrap:     func(rt http.RoundTripper) http.RoundTripper { return cfg.Tracer.Transport(rt, "call") },
	})
	if err != nil {
		return nil, err
	}
	s, err := openState(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	c.SetMasters(s.masters())
	a := &Agent{
		cfg: cfg, log: cfg.Logger, state: s, client: c, roots: roots, tools: tools,
		slots:      newSlots(cfg.MaxConcurrentJobs),
		outbox:     newOutbox(c, cfg.Logger),
		woken:      make(chan struct{}, 1),
		fatal:      make(chan error, 1),
		leaseTTL:   30 * time.Second,
		contactErr: errors.New("not registered yet"),
	}
	a.metrics = newMetrics(a)
	return a, nil
}

// NodeID returns the node's identity, which outlives restarts.
func (a *Agent) NodeID() string { return a.state.nodeID }

// SetAPIKey replaces the key that the masters are shown.
func (a *Agent) SetAPIKey(key string) { a.client.SetAPIKey(key) }

// Run takes up what an earlier agent has left, registers, and then claims and
// runs jobs until the context ends; then it drains. It returns nil unless the
// agent cannot work at all, and may be called once.
func (a *Agent) Run(ctx context.Context) error {
	a.work, a.endWork = context.WithCancelCause(context.WithoutCancel(ctx))
	defer a.close()
	if err := a.begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	claiming, stop := context.WithCancel(ctx)
	defer stop()
	a.background.Go(func() { a.heartbeats(a.work) })
	a.background.Go(func() { a.claims(claiming) })
	select {
	case <-ctx.Done():
		a.drain()
		return nil
	case err := <-a.fatal:
		return err
	}
}

func (a *Agent) begin(ctx context.Context) error {
	if err := a.probeMachine(ctx); err != nil {
		return err
	}
	if err := a.recoverAttempts(); err != nil {
		return err
	}
	if err := a.join(ctx); err != nil {
		return err
	}
	a.setContact(nil)
	close(a.outbox.open)
	return nil
}

// drain waits for what runs. What still does after DrainTimeout goes on without
// the agent.
func (a *Agent) drain() {
	ctx, cancel := context.WithTimeout(a.work, a.cfg.DrainTimeout)
	defer cancel()
	a.log.Info("draining", "attempts", len(a.slots.all()), "timeout", a.cfg.DrainTimeout)
	if err := a.slots.drained(ctx); err != nil {
		a.log.Info("leaving attempts to the next agent", "attempts", len(a.slots.all()))
	}
}

func (a *Agent) close() {
	a.endWork(errLeaving)
	a.attempts.Wait()
	a.background.Wait()
	a.client.Close()
	if err := a.state.close(); err != nil {
		a.log.Error("closing the state directory", "error", err)
	}
}

// fail has Run end with err.
func (a *Agent) fail(err error) {
	select {
	case a.fatal <- err:
	default:
	}
}

// setContact records how the last exchange with the masters went. It logs changes only.
func (a *Agent) setContact(err error) {
	a.mu.Lock()
	was := a.contactErr
	a.contactErr = err
	if err == nil {
		a.heardAt = time.Now()
	}
	a.mu.Unlock()
	switch {
	case err != nil && was == nil:
		a.log.Warn("no master answers; what runs goes on", "error", err)
	case err == nil && was != nil:
		a.log.Info("in contact with the masters", "leader", a.client.Leader())
	}
}

// Ready returns nil when the node is registered, in contact with a master and
// able to take jobs, or why not.
func (a *Agent) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.claimErr != nil {
		return a.claimErr
	}
	if a.contactErr != nil && (a.heardAt.IsZero() || time.Since(a.heardAt) > a.leaseTTL) {
		return a.contactErr
	}
	return nil
}
