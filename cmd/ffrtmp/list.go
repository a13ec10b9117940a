package main

import (
	"cmp"
	"context"
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
				return flags.Usagef("--limit: must be between 1 and %d, not %d", ffrtmp.MaxLimit, options.Limit)
			}
			return c.listJobs(cmd, options, all)
		},
	}
	c.filterFlags(cmd, &options.Filter)
	set := cmd.Flags()
	set.IntVar(&options.Limit, "limit", defaultPage, fmt.Sprintf("jobs per page, at most %d", ffrtmp.MaxLimit))
	set.StringVar(&options.Cursor, "cursor", "", "start after the page that printed this cursor")
	set.BoolVar(&all, "all", false, "list every page")
	cli.EnumVar(cmd, &options.Sort, "sort", "sort by", ffrtmp.Sorts)
	cli.EnumVar(cmd, &options.Order, "order", "direction; desc is newest, highest or furthest first",
		[]ffrtmp.Order{ffrtmp.Ascending, ffrtmp.Descending})
	return c.reading.register(cmd)
}

// defaultPage is how many jobs are listed without --limit.
const defaultPage = 50

func (c *command) listJobs(cmd *cobra.Command, options client.ListOptions, all bool) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		page, err := c.fetchJobs(ctx, cl, options, all)
		switch {
		case err != nil:
			return fmt.Errorf("list jobs: %w", err)
		case page.Count == 0:
			return c.print(page, cli.Line("No jobs."))
		}
		note := cli.Count(page.Count, "job") + "."
		if page.NextCursor != "" {
			note += fmt.Sprintf(" There are more: use --cursor %s or --all.", page.NextCursor)
		}
		return c.print(page, jobTable(page.Jobs), cli.Line(note))
	})
}

// fetchJobs returns one page, or all of them as one. The master's pages may be short; this one is not.
func (c *command) fetchJobs(ctx context.Context, cl *client.Client, options client.ListOptions,
	all bool,
) (page ffrtmp.List, err error) {
	opts := c.reading.options()
	if err := resolveNode(ctx, cl, &options.Filter, opts...); err != nil {
		return page, err
	}
	page.Jobs = []ffrtmp.Job{}
	wanted := options.Limit
	if all {
		options.Limit = ffrtmp.MaxLimit
	}
	for all || len(page.Jobs) < wanted {
		if !all {
			options.Limit = wanted - len(page.Jobs)
		}
		next, err := cl.Jobs(ctx, options, opts...)
		if err != nil {
			return page, err
		}
		page.Jobs = append(page.Jobs, next.Jobs...)
		page.NextCursor, options.Cursor = next.NextCursor, next.NextCursor
		if next.NextCursor == "" {
			break
		}
	}
	page.Count = len(page.Jobs)
	return page, nil
}

func jobTable(jobs []ffrtmp.Job) *cli.Table {
	t := cli.NewTable("JOB<", "SCENARIO~", "STATUS", "QUEUE?", "PRIORITY?", "PROGRESS<", "NODE~", "RETRIES<?",
		"FAILURE~?", "CREATED<")
	for _, j := range jobs {
		t.Add(j.SequenceNumber, j.Scenario, status(j.Status), j.Queue, j.Priority, fmt.Sprintf("%d%%", j.Progress),
			cmp.Or(j.NodeName, j.NodeID), fmt.Sprintf("%d/%d", j.RetryCount, j.MaxRetries), j.FailureReason,
			cli.Age(j.CreatedAt))
	}
	return t
}
