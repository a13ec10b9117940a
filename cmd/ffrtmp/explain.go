package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) jobsExplain() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "explain JOB",
		Short: "Explain why a job is waiting, or show its history",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				e, err := cl.Explain(ctx, args[0], c.reading.options()...)
				if err != nil {
					return fmt.Errorf("explain job %s: %w", args[0], err)
				}
				return c.print(e, explanation(e)...)
			})
		},
	})
}

func explanation(e ffrtmp.Explanation) []cli.HumanWriter {
	f := &cli.Fields{}
	f.Add("Status", status(e.Status))
	f.Add("Summary", e.Summary)
	if e.Status == ffrtmp.Pending {
		f.Add("Ahead", cli.Count(e.Ahead, "job"))
	}
	parts := []cli.HumanWriter{f}
	if len(e.Nodes) > 0 {
		t := cli.NewTable("NODE", "ID~?", "VERDICT~")
		for _, n := range e.Nodes {
			verdict := cli.Coloured("can run it", cli.Green)
			if n.Reason != "" {
				verdict = cli.Coloured(n.Reason, cli.Yellow)
			}
			t.Add(n.Name, n.NodeID, verdict)
		}
		parts = append(parts, t)
	}
	if len(e.Attempts) > 0 {
		parts = append(parts, attemptTable(e.Attempts))
	}
	return parts
}
