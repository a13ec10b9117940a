package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) jobsList() *cobra.Command {
	var options client.ListOptions
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, newest first",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if options.Limit < 1 || options.Limit > ffrtmp.MaxLimit {
				return flags.Usagef("--limit takes 1 to %d, not %d", ffrtmp.MaxLimit, options.Limit)
			}
			return c.listJobs(cmd, options, all)
		},
	}
	c.filterFlags(cmd, &options.Filter)
	set := cmd.Flags()
	set.IntVar(&options.Limit, "limit", 50, fmt.Sprintf("`NUMBER` of jobs in a page, at most %d", ffrtmp.MaxLimit))
	set.StringVar(&options.Cursor, "cursor", "", "go on after a page: its next `CURSOR`")
	set.BoolVar(&all, "all", false, "every page")
	cli.EnumVar(cmd, &options.Order, "order", "oldest or newest first", []ffrtmp.Order{ffrtmp.Ascending, ffrtmp.Descending})
	return cmd
}

func (c *command) listJobs(cmd *cobra.Command, options client.ListOptions, all bool) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := nameNode(cmd.Context(), cl, &options.Filter); err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	page := ffrtmp.List{Jobs: []ffrtmp.Job{}}
	if all {
		options.Limit = ffrtmp.MaxLimit
		for j, err := range cl.AllJobs(cmd.Context(), options) {
			if err != nil {
				return fmt.Errorf("list jobs: %w", err)
			}
			page.Jobs = append(page.Jobs, j)
		}
		page.Count = len(page.Jobs)
	} else if page, err = cl.Jobs(cmd.Context(), options); err != nil {
		return fmt.Errorf("list jobs: %w", err)
	}
	if page.Jobs == nil {
		page.Jobs = []ffrtmp.Job{}
	}
	note := cli.Line(cli.Count(page.Count, "job") + ".")
	if page.NextCursor != "" {
		note = cli.Line(fmt.Sprintf("%s; there are more: --cursor %s, or --all.", cli.Count(page.Count, "job"), page.NextCursor))
	}
	if page.Count == 0 {
		return c.print(page, cli.Line("No jobs."))
	}
	return c.print(page, jobTable(page.Jobs), note)
}

func jobTable(jobs []ffrtmp.Job) *cli.Table {
	t := cli.NewTable("JOB<", "SCENARIO~", "STATUS", "QUEUE?", "PRIORITY?", "PROGRESS<", "NODE~", "RETRIES<?", "FAILURE~?", "CREATED<")
	for _, j := range jobs {
		t.Add(j.SequenceNumber, j.Scenario, status(j.Status), j.Queue, j.Priority, fmt.Sprintf("%d%%", j.Progress),
			cmp.Or(j.NodeName, j.NodeID), fmt.Sprintf("%d/%d", j.RetryCount, j.MaxRetries), j.FailureReason, cli.Age(j.CreatedAt))
	}
	return t
}
