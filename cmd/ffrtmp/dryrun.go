package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

// dryRun shows the job that a spec would create, and the command that a node would run for it.
func (c *command) dryRun(cmd *cobra.Command, spec ffrtmp.Spec, node string) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		result, err := cl.DryRun(ctx, spec, node)
		if err != nil {
			return fmt.Errorf("submit job: %w", err)
		}
		f := &cli.Fields{}
		f.Add("Scenario", result.Job.Scenario)
		f.Add("Queue", result.Job.Queue)
		f.Add("Priority", result.Job.Priority)
		f.Add("Node", cmp.Or(result.NodeName, result.NodeID))
		f.Add("Command", commandLine(result.Command))
		f.Add("Starts", startsIn(&result))
		for _, text := range result.Assumed {
			f.Add("Assumed", text)
		}
		for _, text := range result.Warnings {
			f.Add("Warning", text)
		}
		return c.print(result, f, cli.Line("Nothing was submitted."))
	})
}

// startsIn is when the job would start, in words.
func startsIn(r *ffrtmp.DryRun) string {
	switch wait := r.EstimatedWaitSeconds; {
	case wait == nil:
		return fmt.Sprintf("unknown, %d jobs ahead", r.Ahead)
	case *wait == 0:
		return "at once"
	default:
		about := time.Duration(*wait * float64(time.Second)).Round(time.Second)
		return fmt.Sprintf("in about %s, %d jobs ahead", about, r.Ahead)
	}
}

// plain matches an argument that no shell changes.
var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// commandLine is a command as a shell reads it.
func commandLine(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = arg; !plain.MatchString(arg) && arg != "&&" {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
