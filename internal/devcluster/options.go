package devcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options describe a cluster.
type Options struct {
	Masters int // that form the cluster
	Agents  int

	BinDir string // holds the programs master and agent
	Dir    string // for state, keys and logs, created if missing; "" is a temporary one, removed by Close

	// CertLifetime is the lifetime of certificates; 0 is the default of package certs.
	CertLifetime time.Duration

	// MasterArgs and AgentArgs, if not nil, return additional arguments of the i-th process, which override the
	// others.
	MasterArgs, AgentArgs func(i int) []string
	// Env is added to the environment of every process, each entry as NAME=value.
	Env []string
	// Output, if not nil, receives every line of output, prefixed with the name of the process. The log file of the
	// process has it without the prefix.
	Output io.Writer
}

func (o Options) check() error {
	if o.Masters < 1 {
		return fmt.Errorf("invalid number of masters %d: must be at least 1", o.Masters)
	}
	if o.Agents < 0 {
		return fmt.Errorf("invalid number of agents %d: must not be negative", o.Agents)
	}
	for _, program := range []string{"master", "agent"} {
		if _, err := os.Stat(filepath.Join(o.BinDir, program)); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("no program %s in %s: build it with make build", program, o.BinDir)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// extra returns the additional arguments of the i-th process.
func extra(args func(int) []string, i int) []string {
	if args == nil {
		return nil
	}
	return args(i)
}
