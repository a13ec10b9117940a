// Command agent runs on a machine that has ffmpeg: it claims jobs, runs them and reports.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"ffrtmp/agent/supervisor"
	"ffrtmp/internal/version"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	// The agent starts itself again, apart from itself, to keep watch over ffmpeg.
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(supervisor.Main(os.Args[2]))
	}
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
		fmt.Fprintln(stderr, "agent:", err)
		return exitUsage
	case c.version:
		fmt.Fprintln(stdout, version.Line("agent"))
		return exitDone
	}
	if err := start(ctx, c, lookup, stderr); err != nil {
		fmt.Fprintln(stderr, "agent:", err)
		return exitFailed
	}
	return exitDone
}
