package devcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Cluster is a set of masters and agents on this machine. It is safe for concurrent use.
type Cluster struct {
	opts    Options
	dir     string
	tmp     string // see markOf
	env     []string
	output  io.Writer
	secrets *secrets
	killer  *killer
	tls     *certs.Store
	http    *http.Client // for health checks; without connection reuse, since masters restart

	mu      sync.Mutex
	masters []*Master
	agents  []*Agent
	closed  bool

	closing  sync.Once
	closeErr error
}

// New creates the directories, keys, certificates and ports of a cluster, and starts nothing. The caller must Close it.
func New(opts Options) (*Cluster, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
	c := &Cluster{opts: opts}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("create cluster: %w", err), c.Close())
	}
	return c, nil
}

func (c *Cluster) prepare() (err error) {
	if c.opts.Output != nil {
		c.output = &lockedWriter{w: c.opts.Output}
	}
	if c.dir, err = makeDir(c.opts.Dir); err != nil {
		return err
	}
	if c.tmp, err = os.MkdirTemp(c.dir, "tmp-"); err != nil {
		return err
	}
	c.env = slices.Concat(cleanEnvironment(), c.opts.Env, []string{markOf(c.tmp)})
	if c.killer, err = startKiller(markOf(c.tmp)); err != nil {
		return err
	}
	if c.secrets, err = newSecrets(filepath.Join(c.dir, "keys"), c.opts.CertLifetime); err != nil {
		return err
	}
	if c.tls, err = certs.Open(certs.Files{CA: c.secrets.caFile()}, nil); err != nil {
		return err
	}
	c.http = &http.Client{Transport: &http.Transport{
		DialTLSContext: c.tls.DialTLS, ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
	if err := os.MkdirAll(filepath.Join(c.dir, "logs"), 0o700); err != nil {
		return err
	}
	for range c.opts.Masters {
		if _, err := c.addMaster(false); err != nil {
			return err
		}
	}
	for range c.opts.Agents {
		if _, err := c.AddAgent(); err != nil {
			return err
		}
	}
	return nil
}

// Start creates a cluster, starts it and waits until every master and agent is ready. On an error no process is left.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	c, err := New(opts)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Start starts every process that is not running, and waits until every master and agent is ready.
func (c *Cluster) Start(ctx context.Context) error {
	for _, p := range c.processes() {
		if !p.Running() {
			if err := p.Start(); err != nil {
				return err
			}
		}
	}
	return c.WaitReady(ctx)
}

// WaitReady waits until every master and agent is ready.
func (c *Cluster) WaitReady(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, m := range c.Masters() {
		group.Go(func() error { return m.WaitReady(ctx) })
	}
	for _, a := range c.Agents() {
		group.Go(func() error { return a.WaitReady(ctx) })
	}
	return group.Wait()
}

// AddMaster adds a master that joins the others, and does not start it. A cluster of one master cannot be joined: that
// master opens no peer port.
func (c *Cluster) AddMaster() (*Master, error) { return c.addMaster(true) }

func (c *Cluster) addMaster(joining bool) (*Master, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	m, err := c.newMaster(len(c.masters), joining)
	if err != nil {
		return nil, err
	}
	c.masters = append(c.masters, m)
	return m, nil
}

// AddAgent adds an agent and does not start it.
func (c *Cluster) AddAgent() (*Agent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	a, err := c.newAgent(len(c.agents))
	if err != nil {
		return nil, err
	}
	c.agents = append(c.agents, a)
	return a, nil
}

// Master returns the i-th master, from 0 on.
func (c *Cluster) Master(i int) *Master { return c.Masters()[i] }

// Agent returns the i-th agent, from 0 on.
func (c *Cluster) Agent(i int) *Agent { return c.Agents()[i] }

// Masters returns all masters, running or not.
func (c *Cluster) Masters() []*Master {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.masters)
}

// Agents returns all agents, running or not.
func (c *Cluster) Agents() []*Agent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.agents)
}

func (c *Cluster) processes() []*Process {
	var all []*Process
	for _, m := range c.Masters() {
		all = append(all, &m.Process)
	}
	for _, a := range c.Agents() {
		all = append(all, &a.Process)
	}
	return all
}

// Stop stops agents, then masters, and waits until all have ended. The cluster can be started again.
func (c *Cluster) Stop(ctx context.Context) error {
	var agents, masters errgroup.Group
	for _, a := range c.Agents() {
		agents.Go(func() error { return a.Stop(ctx) })
	}
	err := agents.Wait()
	for _, m := range c.Masters() {
		masters.Go(func() error { return m.Stop(ctx) })
	}
	return errors.Join(err, masters.Wait())
}

// Close kills all processes of the cluster, in any process group, and removes a temporary directory. It may be called
// at any time and more than once.
func (c *Cluster) Close() error {
	c.closing.Do(func() {
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		var all sync.WaitGroup
		for _, p := range c.processes() {
			all.Go(p.close)
		}
		all.Wait()
		if c.killer != nil {
			c.closeErr = killMarked(markOf(c.tmp))
			c.killer.stop()
		}
		c.releasePorts()
		remove := c.tmp
		if c.opts.Dir == "" {
			remove = c.dir
		}
		c.closeErr = errors.Join(c.closeErr, os.RemoveAll(remove))
	})
	return c.closeErr
}

func (c *Cluster) releasePorts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.masters {
		releaseAll(m.ports)
	}
	for _, a := range c.agents {
		a.metrics.release()
	}
}
