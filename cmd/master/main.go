// Command master is one master of a cluster: a Raft peer, an API server, and the
// leader service while it leads.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(ctx, hangups, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status. At every hangup it reads again
// what may change while it runs.
func run(ctx context.Context, hangups <-chan os.Signal, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	c, err := parse(args, lookup)
	if err == nil {
		err = start(ctx, hangups, c, stdout, stderr)
	}
	return flags.Report("master", err, c.usage, stdout, stderr)
}

func start(ctx context.Context, hangups <-chan os.Signal, c *config, stdout, stderr io.Writer) error {
	if c.generateCert {
		if err := c.makeCert(); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "wrote %s and %s\n", c.files.Cert, c.files.Key)
		return nil
	}
	key, err := c.bootstrapKey()
	if err != nil {
		return err
	}
	logger := c.log.Logger("master", stderr)
	m, err := newMaster(ctx, c, key, logger)
	if err != nil {
		return err
	}
	defer flags.OnHangup(hangups, m.reload)()
	return m.Run(ctx)
}
