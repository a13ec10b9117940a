package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) jobs() *cobra.Command {
	return group("jobs", "Submit, watch and control jobs",
		c.jobsSubmit(), c.jobsList(), c.jobsStatus(), c.jobsWatch(),
		c.jobsAction(ffrtmp.Cancel, "Cancel jobs", ", and stop their ffmpeg", (*client.Client).Cancel),
		c.jobsAction(ffrtmp.Pause, "Pause jobs, running or pending", "", (*client.Client).Pause),
		c.jobsAction(ffrtmp.Resume, "Resume paused jobs", "", (*client.Client).Resume),
		c.jobsAction(ffrtmp.Retry, "Requeue failed or canceled jobs", "", (*client.Client).Retry),
		c.jobsPriority(),
		c.jobsLogs(), c.jobsExplain())
}

// perform is a method of client.Client that acts on one job.
type perform func(*client.Client, context.Context, string, ...client.Option) error

// acted is one line of the JSON that an action prints.
type acted struct {
	JobID  string        `json:"job_id"`
	Action ffrtmp.Action `json:"action"`
	Done   bool          `json:"done"`
	Error  string        `json:"error,omitempty"`
	Code   ffrtmp.Code   `json:"code,omitempty"`
}

// act does one thing to many jobs and fails if one of them refuses.
func (c *command) act(cmd *cobra.Command, change ffrtmp.Change, ids []string, do perform) error {
	action := verb(change)
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		results := []acted{}
		var done cli.Lines
		var faults []error
		for _, id := range ids {
			err := do(cl, ctx, id)
			results = append(results, acted{JobID: id, Action: action, Done: err == nil, Code: ffrtmp.CodeOf(err)})
			if err == nil {
				done = append(done, fmt.Sprintf("Job %s %s.", id, past(change)))
				continue
			}
			results[len(results)-1].Error = err.Error()
			faults = append(faults, actionError(action, id, len(ids) > 1, err))
			if ctx.Err() != nil {
				break
			}
		}
		if err := c.print(map[string]any{"results": results}, done); err != nil {
			return err
		}
		return c.reportAll(faults)
	})
}

// actionError names the action and the job, unless the error does ("cannot pause job 12: it is completed").
func actionError(action ffrtmp.Action, id string, several bool, err error) error {
	switch {
	case ffrtmp.CodeOf(err) != ffrtmp.Conflict:
		return fmt.Errorf("%s job %s: %w", action, id, err)
	case several:
		return fmt.Errorf("job %s: %w", id, err)
	}
	return err
}

// reportAll returns one error, the first whose outcome is unknown, else the first, and reports the others. The JSON of
// an action has them all already.
func (c *command) reportAll(faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	chosen := 0
	for i, err := range faults {
		if ffrtmp.CodeOf(err) == ffrtmp.UnknownOutcome {
			chosen = i
			break
		}
	}
	for i, err := range faults {
		if i != chosen && c.settings.Format == cli.FormatTable {
			c.report(err)
		}
	}
	return faults[chosen]
}

// filterFlags gives cmd the flags that select jobs.
func (c *command) filterFlags(cmd *cobra.Command, f *ffrtmp.Filter) {
	cli.EnumSetVar(cmd, &f.Status, "status", "select by status", ffrtmp.Statuses)
	cli.EnumVar(cmd, &f.Queue, "queue", "select by queue", ffrtmp.Queues)
	cli.EnumVar(cmd, &f.Priority, "priority", "select by priority", ffrtmp.Priorities)
	set := cmd.Flags()
	set.StringVar(&f.Scenario, "scenario", "", "select by scenario")
	set.StringVar(&f.NodeID, "node", "", "select by the id or name of the node that runs the job or ran it last")
	set.StringVar(&f.Label, "label", "", "select by label (KEY or KEY=VALUE)")
	set.StringVar(&f.Text, "q", "", "select by a text in id, label or path")
	cli.TimeVar(cmd, &f.CreatedAfter, "created-after", "select by creation, at this time or later")
	cli.TimeVar(cmd, &f.CreatedBefore, "created-before", "select by creation, before this time")
	cli.Complete(cmd, "scenario", scenarios...)
	cli.CompleteBy(cmd, "node", c.nodeWords())
}

// resolveNode replaces the name of a filter's node by its id.
func resolveNode(ctx context.Context, cl *client.Client, f *ffrtmp.Filter, opts ...client.Option) error {
	if f.NodeID == "" {
		return nil
	}
	id, err := findNode(ctx, cl, f.NodeID, opts...)
	if err != nil {
		return fmt.Errorf("--node %s: %w", f.NodeID, err)
	}
	f.NodeID = id
	return nil
}

// scenarios are what the shell offers; any [live-]SIZE[FPS][-CODEC] is valid.
var scenarios = []string{
	"4K60-h264", "4K30-h264", "1440p60-h264", "1080p60-h264", "1080p30-h264", "1080p30-h265",
	"720p60-h264", "720p30-h264", "720p30-h265", "720p30-vp9", "720p30-av1", "480p30-h264", "360p30-h264",
	"live-1080p60-h264", "live-720p30-h264",
}

// interrupted reports whether the user has interrupted the command.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled)
}
