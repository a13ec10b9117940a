package devcluster

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Agent is an agent process.
type Agent struct {
	Process
	cluster *Cluster
	index   int
	files   certs.Files
	metrics port
}

func (c *Cluster) newAgent(i int) (*Agent, error) {
	name := "agent-" + strconv.Itoa(i)
	files, err := c.secrets.issue(certs.RoleAgent, name)
	if err != nil {
		return nil, err
	}
	metrics, err := reservePort()
	if err != nil {
		return nil, err
	}
	a := &Agent{cluster: c, index: i, files: files, metrics: metrics}
	a.Process = c.process("agent", name, a.args)
	for _, dir := range []string{a.StateDir(), c.MediaRoot()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			metrics.release()
			return nil, err
		}
	}
	return a, nil
}

// StateDir is the agent's state directory.
func (a *Agent) StateDir() string { return filepath.Join(a.cluster.dir, a.name) }

// MetricsURL is the address of the agent's metrics and health port.
func (a *Agent) MetricsURL() string { return "http://127.0.0.1:" + strconv.Itoa(a.metrics.number) }

// WaitReady waits until the agent reports that it is ready. If the agent ends, the error has the last lines of its log.
func (a *Agent) WaitReady(ctx context.Context) error {
	return a.waitOK(ctx, a.cluster.http, func() string { return a.MetricsURL() + "/ready" })
}

// args are the agent's arguments for its next start.
func (a *Agent) args() []string {
	c := a.cluster
	args := []string{
		"--master", strings.Join(c.URLs(), ","),
		"--name", a.name, "--state-dir", a.StateDir(),
		"--cert", a.files.Cert, "--key", a.files.Key, "--ca", a.files.CA,
		"--api-key-file", c.secrets.apiKeyFile(),
		"--media-root", c.MediaRoot(),
		"--metrics-port", strconv.Itoa(a.metrics.number),
	}
	return append(args, extra(c.opts.AgentArgs, a.index)...)
}
