// Command master is package master behind flags.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/master"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(ctx, hangups, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status. It reloads at every hangup.
func run(ctx context.Context, hangups <-chan os.Signal, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	c, err := parse(args, lookup)
	if err == nil {
		err = start(ctx, hangups, c, stdout, stderr)
	}
	return flags.Report("master", err, c.usage, stdout, stderr)
}

func start(ctx context.Context, hangups <-chan os.Signal, c *config, stdout, stderr io.Writer) error {
	if c.generateCert {
		if err := master.WriteCertificate(c.Config, c.certificate); err != nil {
			return err
		}
		_, err := fmt.Fprintf(stdout, "wrote %s and %s\n", c.Files.Cert, c.Files.Key)
		return err
	}
	if err := c.readGossipKeys(); err != nil {
		return err
	}
	c.Logger = c.log.Logger("master", stderr)
	m, err := master.New(ctx, c.Config)
	if err != nil {
		return usage(err)
	}
	defer flags.OnHangup(hangups, m.Reload)()
	return m.Run(ctx)
}
