// Command agent runs on a machine that has ffmpeg: it claims jobs, runs them and reports.
package main

import (
	"context"
	"os"

	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func main() {
	// The agent starts its own binary as the supervisor of each ffmpeg.
	if len(os.Args) == 3 && os.Args[1] == "supervise" {
		os.Exit(supervisor.Main(os.Args[2]))
	}
	flags.Main(run)
}

// run is the program; it returns the exit status. A hangup reloads certificates and
// the API key.
func run(ctx context.Context, p flags.Process) int {
	c, err := parse(p.Args, p.Lookup)
	if err == nil {
		err = start(ctx, p.Hangups, c, p.Stderr)
	}
	return flags.Report("agent", err, c.usage, p.Stdout, p.Stderr)
}
