package agent

import (
	"context"
	"errors"
	"net/http"
	"os"
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

	// Set before the first attempt runs, and constant from then on.
	facts probe.Facts

	slots   *slots
	outbox  *outbox
	metrics *metrics
	leader  leader
	woken   chan struct{} // send a heartbeat now
	fatal   chan error    // makes Run return

	work       context.Context // outlives Run's context while the agent drains
	endWork    context.CancelCauseFunc
	attempts   sync.WaitGroup // one goroutine per attempt
	background sync.WaitGroup // loops and commands
	onStep     func(*attempt, step)

	registering sync.Mutex // one registration at a time

	mu          sync.Mutex
	encoders    []string // that are known to work
	leaseTTL    time.Duration
	reportEvery time.Duration
	heardAt     time.Time // when a master last answered
	renewedAt   time.Time // when the last accepted heartbeat was sent
	contactErr  error     // why no master answers; nil in contact
	claimErr    error     // why the agent does not claim; nil when it does
}

// New opens the state directory and finds ffmpeg. It sends nothing to a master.
func New(cfg Config) (*Agent, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	roots, err := media.OpenRoots(cfg.MediaRoots)
	if err != nil {
		return nil, err
	}
	cfg.Logger.Info("checking ffmpeg", "ffmpeg", cfg.FFmpeg)
	tools, err := probe.FindTools(cfg.FFmpeg)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Masters:  cfg.Masters,
		APIKey:   cfg.APIKey,
		TLS:      cfg.TLS,
		DialTLS:  cfg.DialTLS,
		Patience: 5 * time.Second, // every caller retries by itself, with fresh data
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
	if err := roots.Exclude(s.dir); err != nil {
		return nil, errors.Join(err, s.close())
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
	warnRoot(a.log, os.Geteuid())
	return a, nil
}

// warnRoot warns about an agent that runs as root. ffmpeg then runs as root, too,
// although without most of root's capabilities.
func warnRoot(log hclog.Logger, uid int) {
	if uid == 0 {
		log.Warn("running as root; use a user that may only access the media roots")
	}
}

// NodeID returns the node's identity, which survives restarts.
func (a *Agent) NodeID() string { return a.state.nodeID }

// SetAPIKey replaces the API key.
func (a *Agent) SetAPIKey(key string) { a.client.SetAPIKey(key) }

// Run recovers the attempts of an earlier agent, registers, and claims and runs
// jobs until the context ends; then it drains. It returns an error only when the
// agent cannot work at all. Call it once.
func (a *Agent) Run(ctx context.Context) error {
	a.work, a.endWork = context.WithCancelCause(context.WithoutCancel(ctx))
	defer a.close()
	tried, err := a.begin(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	claiming, stop := context.WithCancel(ctx)
	defer stop()
	a.background.Go(func() { a.heartbeats(a.work) })
	a.background.Go(func() { a.claims(claiming) })
	if !tried {
		a.background.Go(func() { a.tryEncoders(a.work) })
	}
	select {
	case <-ctx.Done():
		a.drain(context.WithoutCancel(ctx))
		return nil
	case err := <-a.fatal:
		return err
	}
}

// begin registers the node. It reports whether the encoders have been tried, at an earlier start.
func (a *Agent) begin(ctx context.Context) (tried bool, err error) {
	if tried, err = a.probeMachine(); err != nil {
		return false, err
	}
	if err := a.recoverAttempts(); err != nil { //nolint:contextcheck // attempts outlive ctx; they end with a.work
		return false, err
	}
	if err := a.join(ctx); err != nil {
		return false, err
	}
	a.setContact(nil)
	close(a.outbox.open)
	return tried, nil
}

// drain waits up to DrainTimeout for running attempts. The rest continue without
// the agent.
func (a *Agent) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.DrainTimeout)
	defer cancel()
	a.log.Info("draining", "attempts", len(a.slots.all()), "timeout", a.cfg.DrainTimeout)
	if err := a.slots.drained(ctx); err != nil {
		a.log.Info("drain timeout: the next agent continues these attempts", "attempts", len(a.slots.all()))
	}
}

func (a *Agent) close() {
	a.endWork(errStopping)
	a.attempts.Wait()
	a.background.Wait()
	a.client.Close()
	if err := a.state.close(); err != nil {
		a.log.Error("cannot close the state directory", "error", err)
	}
}

// fail makes Run return err.
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
		a.log.Warn("no master answers; running attempts continue", "error", err)
	case err == nil && was != nil:
		a.log.Info("in contact with the masters", "leader", a.client.Leader())
	}
}

// Ready returns nil when the node is registered, in contact with a master and able
// to claim jobs, else the reason.
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
