// Command master is one master of a cluster: a Raft peer, an API server, and the
// scheduler while it leads.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/pflag"

	"ffrtmp/internal/version"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status.
func run(ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	c, err := parse(args, lookup)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, c.usage)
		return exitDone
	case err != nil:
		fmt.Fprintln(stderr, "master:", err)
		return exitUsage
	case c.version:
		fmt.Fprintln(stdout, version.Line("master"))
		return exitDone
	}
	if err := start(ctx, c, lookup, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "master:", err)
		return exitFailed
	}
	return exitDone
}

func start(ctx context.Context, c *config, lookup func(string) (string, bool), stdout, stderr io.Writer) error {
	if c.generateCert {
		if err := c.makeCert(); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "wrote %s and %s\n", c.files.Cert, c.files.Key)
		return nil
	}
	key, err := c.bootstrapKey(lookup)
	if err != nil {
		return err
	}
	logger := hclog.New(&hclog.LoggerOptions{
		Name:       "master",
		Level:      hclog.LevelFromString(c.logLevel),
		JSONFormat: c.logFormat == "json",
		Output:     stderr,
	})
	m, err := newMaster(ctx, c, key, logger)
	if err != nil {
		return err
	}
	return m.Run(ctx)
}
