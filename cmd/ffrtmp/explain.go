package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
)

func (c *cli) jobsExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain JOB",
		Short: "Say why a job waits, or who ran it when",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			e, err := cl.Explain(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("explain job %s: %w", args[0], err)
			}
			return c.print(e, explanation(e)...)
		},
	}
}

func explanation(e ffrtmp.Explanation) []writer {
	f := &fields{}
	f.add("Status", status(e.Status))
	f.add("Summary", e.Summary)
	if e.Status == ffrtmp.Pending {
		f.add("Ahead", count(e.Ahead, "job"))
	}
	people := []writer{f}
	if len(e.Nodes) > 0 {
		t := newTable("NODE", "ID~?", "VERDICT~")
		for _, n := range e.Nodes {
			verdict := cell{"can run it", green}
			if n.Reason != "" {
				verdict = cell{n.Reason, yellow}
			}
			t.add(n.Name, n.NodeID, verdict)
		}
		people = append(people, t)
	}
	if len(e.Attempts) > 0 {
		people = append(people, attemptTable(e.Attempts))
	}
	return people
}
