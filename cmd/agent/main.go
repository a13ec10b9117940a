// Command agent runs on a machine that has ffmpeg: it claims jobs, runs them and reports.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func main() {
	// The agent starts its own binary as the supervisor of each ffmpeg.
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(supervisor.Main(os.Args[2]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	os.Exit(run(ctx, hangups, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program; it returns the exit status. A hangup reloads certificates and
// the API key.
func run(ctx context.Context, hangups <-chan os.Signal, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer) int {
	c, err := parse(args, lookup)
	if err == nil {
		err = start(ctx, hangups, c, stderr)
	}
	return flags.Report("agent", err, c.usage, stdout, stderr)
}
