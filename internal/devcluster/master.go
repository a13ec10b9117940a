package devcluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp/internal/certs"
)

// Indexes in Master.ports.
const (
	apiPort = iota
	peerPort
	gossipPort
	metricsPort
	masterPorts
)

// Master is a master process.
type Master struct {
	Process
	cluster *Cluster
	index   int
	joining bool // joins an existing cluster and must not form one
	files   certs.Files
	ports   []port // guarded by cluster.mu
}

func (c *Cluster) newMaster(i int, joining bool) (*Master, error) {
	name := "master-" + strconv.Itoa(i)
	files, err := c.secrets.issue(certs.RoleMaster, name)
	if err != nil {
		return nil, err
	}
	ports, err := reservePorts(masterPorts)
	if err != nil {
		return nil, err
	}
	m := &Master{cluster: c, index: i, joining: joining, files: files, ports: ports}
	m.Process = c.process("master", name, m.args)
	if err := os.MkdirAll(m.Dir(), 0o700); err != nil {
		releaseAll(ports)
		return nil, err
	}
	return m, nil
}

// Dir is the directory of the master's state.
func (m *Master) Dir() string { return filepath.Join(m.cluster.dir, m.name) }

// DB is the path of the master's SQLite file.
func (m *Master) DB() string { return filepath.Join(m.Dir(), "master.db") }

// URL is the address of the master's API.
func (m *Master) URL() string { return "https://" + m.address(apiPort) }

// MetricsURL is the address of the master's metrics and health port.
func (m *Master) MetricsURL() string { return "http://" + m.address(metricsPort) }

// PeerAddress is the address of the master's peer port.
func (m *Master) PeerAddress() string { return m.address(peerPort) }

func (m *Master) address(which int) string {
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	return m.addressLocked(which)
}

func (m *Master) addressLocked(which int) string {
	return "127.0.0.1:" + strconv.Itoa(m.ports[which].number)
}

// Move changes the master's ports for the next start.
func (m *Master) Move() error {
	if m.Running() {
		return fmt.Errorf("move %s: still running", m.name)
	}
	ports, err := reservePorts(masterPorts)
	if err != nil {
		return err
	}
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	releaseAll(m.ports)
	m.ports = ports
	return nil
}

// WaitReady waits until the master reports that it is ready. If it ends, the error has the last lines of its log.
func (m *Master) WaitReady(ctx context.Context) error {
	return m.waitOK(ctx, m.cluster.http, func() string { return m.URL() + "/health/ready" })
}

// args are the master's arguments for its next start.
func (m *Master) args() []string {
	c := m.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	number := func(which int) string { return strconv.Itoa(m.ports[which].number) }
	args := []string{
		"--name", m.name, "--bind", "127.0.0.1", "--advertise", "127.0.0.1",
		"--port", number(apiPort), "--metrics-port", number(metricsPort),
		"--db", m.DB(), "--raft-dir", filepath.Join(m.Dir(), "raft"),
		"--cluster", clusterName,
		"--cert", m.files.Cert, "--key", m.files.Key, "--ca", m.files.CA,
		"--api-key-file", c.secrets.apiKeyFile(),
	}
	if len(c.masters) > 1 {
		args = append(args,
			"--peer-port", number(peerPort), "--gossip-port", number(gossipPort),
			"--gossip-key-file", c.secrets.gossipFile(), "--join", c.gossipAddresses())
		if !m.joining {
			args = append(args, "--bootstrap-expect", strconv.Itoa(c.opts.Masters))
		}
	}
	return append(args, extra(c.opts.MasterArgs, m.index)...)
}

// gossipAddresses returns the gossip addresses of all masters. The caller holds c.mu.
func (c *Cluster) gossipAddresses() string {
	var addresses []string
	for _, m := range c.masters {
		addresses = append(addresses, m.addressLocked(gossipPort))
	}
	return strings.Join(addresses, ",")
}
