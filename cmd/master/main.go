// Command master is package master behind flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/gcpace"
	"github.com/ffrtmp/ffrtmp/master"
)

func main() {
	flags.Main(run)
}

// run is the program; it returns the exit status. It reloads at every hangup.
func run(ctx context.Context, p flags.Process) int {
	c, err := parse(p.Args, p.Lookup)
	if err == nil {
		err = start(ctx, p.Hangups, c, p.Stdout, p.Stderr)
	}
	return flags.Report("master", err, c.usage, p.Stdout, p.Stderr)
}

func start(ctx context.Context, hangups <-chan os.Signal, c *config, stdout, stderr io.Writer) error {
	if c.generateCert {
		err := master.WriteCertificate(c.Config, c.certificate)
		if errors.Is(err, master.ErrCertificateExists) {
			return fmt.Errorf("%w (--force replaces it)", err)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "wrote %s and %s\n", c.Files.Cert, c.Files.Key)
		return err
	}
	if err := c.readGossipKeys(); err != nil {
		return err
	}
	c.Logger = c.log.Logger("master", stderr)
	c.legacy.Warn(c.Logger)
	defer gcpace.Start(ctx)()
	m, err := master.New(ctx, c.Config)
	if err != nil {
		return usage(err)
	}
	defer flags.OnHangup(hangups, m.Reload)()
	return m.Run(ctx)
}
