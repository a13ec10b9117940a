package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

const (
	startPatience = time.Minute
	stopPatience  = 40 * time.Second // above a master's 30 s to finish requests
)

func (c *command) dev() *cobra.Command {
	var d development
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a local cluster until Ctrl-C",
		Long: `Run masters and agents on this machine, with their own keys and certificates, and show
their logs. Ctrl-C stops them.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.develop(cmd.Context(), d) },
	}
	set := cmd.Flags()
	set.IntVar(&d.masters, "masters", 3, "number of masters")
	set.IntVar(&d.agents, "agents", 2, "number of agents")
	set.StringVar(&d.dir, "dir", "",
		"directory for state, keys and logs; kept (default a temporary one, removed at the end)")
	set.StringSliceVar(&d.mediaRoots, "media-root", nil,
		"additional directory that jobs may read and write; may be repeated")
	set.StringVar(&d.binDir, "bin-dir", "", "directory of the programs master and agent (default that of ffrtmp)")
	return cmd
}

// development is the flags of dev.
type development struct {
	masters, agents int
	dir, binDir     string
	mediaRoots      []string
}

func (c *command) develop(ctx context.Context, d development) (err error) {
	options, err := d.options()
	if err != nil {
		return err
	}
	log := &devLog{w: c.out, term: c.terminal(c.out)}
	if c.settings.Format == cli.FormatJSON {
		log.w, log.term = c.err, c.terminal(c.err)
	}
	options.Output = log
	fmt.Fprintf(c.err, "Starting %s and %s...\n", cli.Count(d.masters, "master"), cli.Count(d.agents, "agent"))
	starting, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	cluster, err := devcluster.Start(starting, options)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("start the cluster: %w", err)
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	if err := log.open(func() error { return c.introduce(cluster, d) }); err != nil {
		return err
	}

	var watching sync.WaitGroup
	for _, m := range cluster.Masters() {
		watching.Go(func() { log.watch(ctx, &m.Process) })
	}
	for _, a := range cluster.Agents() {
		watching.Go(func() { log.watch(ctx, &a.Process) })
	}
	<-ctx.Done()
	watching.Wait()
	// Masters that stop together report each other as lost: hide that.
	log.close()
	fmt.Fprintln(c.err, "\nStopping...")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if err := cluster.Stop(stopping); err != nil {
		// Close ends what is left.
		fmt.Fprintf(c.err, "Killed what did not stop: %s\n", cli.Printable(err.Error()))
	}
	return nil
}

func (d development) options() (devcluster.Options, error) {
	if d.masters < 1 || d.masters > 9 || d.agents < 0 || d.agents > 64 {
		return devcluster.Options{}, flags.Usagef("--masters must be 1 to 9 and --agents 0 to 64, not %d and %d",
			d.masters, d.agents)
	}
	binDir := d.binDir
	if binDir == "" {
		program, err := os.Executable()
		if err != nil {
			return devcluster.Options{}, err
		}
		if program, err = filepath.EvalSymlinks(program); err != nil {
			return devcluster.Options{}, err
		}
		binDir = filepath.Dir(program)
	}
	// Ctrl-C does not wait for encodes.
	agentArgs := []string{"--drain-timeout", "3s"}
	for _, root := range d.mediaRoots {
		absolute, err := filepath.Abs(root)
		if err != nil {
			return devcluster.Options{}, err
		}
		if info, err := os.Stat(absolute); err != nil || !info.IsDir() {
			return devcluster.Options{}, flags.Usagef("--media-root: %q is not a directory", root)
		}
		agentArgs = append(agentArgs, "--media-root", absolute)
	}
	return devcluster.Options{
		Masters: d.masters, Agents: d.agents, BinDir: binDir, Dir: d.dir,
		AgentArgs: func(int) []string { return agentArgs },
	}, nil
}

// introduce prints how to use the cluster.
func (c *command) introduce(cluster *devcluster.Cluster, d development) error {
	urls := cluster.URLs()
	text := &strings.Builder{}
	fmt.Fprintf(text, "A cluster of %s and %s is running:\n\n", cli.Count(d.masters, "master"),
		cli.Count(d.agents, "agent"))
	for _, m := range cluster.Masters() {
		fmt.Fprintf(text, "  %s  %s\n", m.Name(), m.URL())
	}
	fmt.Fprintf(text, `
In another terminal:

  export MASTER_URL=%s
  export FFRTMP_CA=%s
  export FFRTMP_API_KEY_FILE=%s
  %s jobs submit --scenario 720p30-h264 --duration 60 --watch

Media files are in %s.
`, strings.Join(urls, ","), shellWord(cluster.CAFile()), shellWord(cluster.APIKeyFile()), shellWord(os.Args[0]),
		cluster.MediaRoot())
	if d.dir == "" {
		fmt.Fprintf(text,
			"State and logs are in %s, which is removed at the end (--dir keeps it). Ctrl-C stops the cluster.\n",
			cluster.Dir())
	} else {
		fmt.Fprintf(text, "State and logs are in %s. Ctrl-C stops the cluster.\n", cluster.Dir())
	}
	return c.print(map[string]any{
		"masters":      urls,
		"ca":           cluster.CAFile(),
		"api_key_file": cluster.APIKeyFile(),
		"media_root":   cluster.MediaRoot(),
		"dir":          cluster.Dir(),
	}, cli.Line(text.String()))
}

// shellWord quotes a path for a shell, if need be.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t'\"$\\&;|<>()*?[]#~`!") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
