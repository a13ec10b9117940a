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
	Masters int // that form the cluster together
	Agents  int

	BinDir string // holds the programs master and agent
	Dir    string // for state, keys and logs, made if missing; "" = a temporary one, removed by Close

	// CertLifetime is for how long certificates are made; 0 = as long as usual.
	CertLifetime time.Duration

	// MasterArgs and AgentArgs give further arguments to the i-th process, after and so above those given here.
	// They may be nil.
	MasterArgs, AgentArgs func(i int) []string
	// Env is added to the environment of every process, each entry as NAME=value.
	Env []string
	// Output, if not nil, gets every line that a process prints, with its name in front. The same lines go to the
	// process's log file without it.
	Output io.Writer
}

func (o Options) check() error {
	if o.Masters < 1 {
		return fmt.Errorf("a cluster of %d masters", o.Masters)
	}
	if o.Agents < 0 {
		return fmt.Errorf("a cluster with %d agents", o.Agents)
	}
	for _, program := range []string{"master", "agent"} {
		if _, err := os.Stat(filepath.Join(o.BinDir, program)); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("no program %s in %s (make build puts it into bin)", program, o.BinDir)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// extra is what args gives to the i-th process.
func extra(args func(int) []string, i int) []string {
	if args == nil {
		return nil
	}
	return args(i)
}
