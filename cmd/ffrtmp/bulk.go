package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// bulk is what a verb does to jobs that are named or selected by filters.
type bulk struct {
	change ffrtmp.Change
	filter ffrtmp.Filter
	dryRun bool
}

// jobsAction is a verb that takes an action on jobs. Its effect continues "Cancel jobs, named by … or filters".
func (c *command) jobsAction(action ffrtmp.Action, short, effect string, do perform) *cobra.Command {
	b := bulk{change: ffrtmp.Change{Action: action}}
	cmd := &cobra.Command{
		Use:   string(action) + " [JOB...]",
		Short: short,
		Long: fmt.Sprintf(`%s, named by number or id or selected by filters%s.

  ffrtmp jobs %s 17 18
  ffrtmp jobs %[3]s --status %s --label batch=nightly --dry-run`, short, effect, action, b.change.From()[0]),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.change(cmd, &b, args, do)
		},
		ValidArgsFunction: c.jobWords(func(s ffrtmp.Status) bool { return slices.Contains(b.change.From(), s) }),
	}
	return c.bulkFlags(cmd, &b)
}

// jobsPriority is the verb that changes the priority of jobs.
func (c *command) jobsPriority() *cobra.Command {
	var b bulk
	cmd := &cobra.Command{
		Use:   "priority high|medium|low [JOB...]",
		Short: "Change the priority of pending jobs",
		Long: `Change the priority of pending jobs, named by number or id or selected by filters.

  ffrtmp jobs priority high 17 18
  ffrtmp jobs priority low --queue batch --label batch=nightly --dry-run`,
		Args: atLeast("PRIORITY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.change.Priority = ffrtmp.Priority(args[0])
			if !slices.Contains(ffrtmp.Priorities, b.change.Priority) {
				return flags.Usagef("PRIORITY: must be one of %s, not %q", cli.Join(ffrtmp.Priorities), args[0])
			}
			return c.change(cmd, &b, args[1:], b.patch)
		},
		ValidArgsFunction: c.priorityWords(),
	}
	return c.bulkFlags(cmd, &b)
}

// priorityWords offers a priority, then jobs.
func (c *command) priorityWords() cli.Completer {
	jobs := c.jobWords(func(s ffrtmp.Status) bool { return s == ffrtmp.Pending })
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return jobs(cmd, args, typed)
		}
		return []cobra.Completion{"high", "medium", "low"}, cobra.ShellCompDirectiveNoFileComp
	}
}

// patch changes the priority of one job.
func (b *bulk) patch(cl *client.Client, ctx context.Context, id string, opts ...client.Option) error {
	_, err := cl.Patch(ctx, id, ffrtmp.Patch{Priority: &b.change.Priority}, opts...)
	return err
}

func (c *command) bulkFlags(cmd *cobra.Command, b *bulk) *cobra.Command {
	c.filterFlags(cmd, &b.filter)
	cmd.Flags().BoolVar(&b.dryRun, "dry-run", false, "print how many jobs the filters select, and change none")
	return cmd
}

// change changes the named jobs, or those that the filters select.
func (c *command) change(cmd *cobra.Command, b *bulk, args []string, do perform) error {
	switch {
	case len(args) == 0 && b.filter.IsZero():
		return flags.Usagef("JOB is missing: name jobs, or select them with a filter such as --status %s",
			b.change.From()[0])
	case len(args) > 0 && !b.filter.IsZero():
		return flags.Usagef("name jobs or select them with filters, not both: leave out %q or the filters", args[0])
	case len(args) > 0 && b.dryRun:
		return flags.Usagef("--dry-run: select the jobs with filters instead of %q", args[0])
	case len(args) > 0:
		return c.act(cmd, b.change, args, do)
	}
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error { return c.changeMany(ctx, cl, b) })
}

func (c *command) changeMany(ctx context.Context, cl *client.Client, b *bulk) error {
	if err := resolveNode(ctx, cl, &b.filter); err != nil {
		return fmt.Errorf("%s jobs: %w", verb(b.change), err)
	}
	n, err := cl.ChangeMany(ctx, b.filter, b.change, b.dryRun)
	if err != nil {
		return fmt.Errorf("%s jobs: %w", verb(b.change), err)
	}
	line := cli.Count(n, "job") + " " + past(b.change) + "."
	if b.dryRun {
		line = cli.Count(n, "job") + " would be " + past(b.change) + "."
	}
	return c.print(map[string]int{"count": n}, cli.Line(line))
}

// verb is what an error says of a change.
func verb(change ffrtmp.Change) ffrtmp.Action {
	if change.Action == "" {
		return "change"
	}
	return change.Action
}

// past is the participle of a change.
func past(change ffrtmp.Change) string {
	switch change.Action {
	case ffrtmp.Cancel:
		return "canceled"
	case ffrtmp.Pause:
		return "paused"
	case ffrtmp.Resume:
		return "resumed"
	case ffrtmp.Retry:
		return "requeued"
	}
	return fmt.Sprintf("given priority %s", change.Priority)
}
