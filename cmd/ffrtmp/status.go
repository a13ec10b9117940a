package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) jobsStatus() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Show a job, or list jobs",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("JOB")(cmd, args)
		},
		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return c.listJobs(cmd, client.ListOptions{Limit: defaultPage}, false)
			case follow:
				return c.watch(cmd, args[0])
			}
			return c.showJob(cmd, args[0])
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "watch the job (same as jobs watch)")
	return c.reading.register(cmd)
}

func (c *command) showJob(cmd *cobra.Command, id string) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		j, err := cl.Job(ctx, id, c.reading.options()...)
		if err != nil {
			return fmt.Errorf("show job %s: %w", id, err)
		}
		return c.printJob(j)
	})
}

func (c *command) printJob(j ffrtmp.Job) error {
	parts := []cli.HumanWriter{jobFields(j)}
	if len(j.Attempts) > 0 {
		parts = append(parts, attemptTable(j.Attempts))
	}
	return c.print(j, parts...)
}

func jobFields(j ffrtmp.Job) *cli.Fields {
	f := &cli.Fields{}
	f.Add("Job", j.SequenceNumber)
	f.Add("ID", j.ID)
	f.Add("Scenario", j.Scenario)
	f.Add("Confidence", j.Confidence)
	f.Add("Engine", j.Engine)
	f.Add("Status", status(j.Status))
	f.Add("Queue", j.Queue)
	f.Add("Priority", j.Priority)
	f.Add("Progress", progressText(j))
	f.Add("Node", cmp.Or(j.NodeName, j.NodeID))
	f.Add("Retries", fmt.Sprintf("%d of %d", j.RetryCount, j.MaxRetries))
	f.Add("Not before", cli.Moment(j.NotBefore))
	f.Add("Retry reason", j.RetryReason)
	f.Add("Error", cli.Coloured(j.Error, cli.Red))
	f.Add("Failure reason", string(j.FailureReason))
	f.Add("Labels", cli.Pairs(j.Labels))
	f.Add("Requires", requirements(j.Requires))
	f.Add("Created", cli.Moment(j.CreatedAt))
	f.Add("Started", cli.Moment(j.StartedAt))
	f.Add("Completed", cli.Moment(j.CompletedAt))
	f.Add("Times out", cli.Moment(j.TimeoutAt))
	if j.Output != nil {
		f.Add("Output", fmt.Sprintf("%s (%s)", j.Output.Path, cli.Size(j.Output.SizeBytes)))
		f.Add("SHA-256", j.Output.SHA256)
		for _, s := range j.Output.Sidecars {
			f.Add("Subtitles", fmt.Sprintf("%s (%s)", s.Path, cli.Size(s.SizeBytes)))
		}
		f.Add("Loudness", loudnessText(j.Output.Loudness))
	}
	f.Add("Warnings", cli.Coloured(strings.Join(j.Warnings, "; "), cli.Yellow))
	f.Add("Parameters", string(j.Parameters))
	return f
}

// loudnessText says what the normalization of the audio tracks did.
func loudnessText(tracks []ffrtmp.TrackLoudness) string {
	var list []string
	for _, t := range tracks {
		text := fmt.Sprintf("track %d %s", t.Track, t.Mode)
		if t.Source != nil && t.Output != nil {
			text = fmt.Sprintf("track %d from %.1f to %.1f LUFS (%s)", t.Track, t.Source.Integrated,
				t.Output.Integrated, t.Mode)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// progressText is the progress in per cent and, while ffmpeg runs, its speed and estimated time.
func progressText(j ffrtmp.Job) string {
	text := fmt.Sprintf("%d%%", j.Progress)
	if p := j.ProgressDetail; p != nil && !j.Status.Terminal() {
		if j.Progress == 0 && p.ETASeconds == 0 && p.Speed > 0 {
			text = fmt.Sprintf("%d frames, no percentage (the source's length is unknown)", p.Frame)
		}
		text = strings.Join(append([]string{text}, cli.EncodeFacts(p)...), ", ")
	} else if p != nil && j.Progress == 0 && p.OutTimeSeconds > 0 {
		text = fmt.Sprintf("ended after %.1f s of output (%d frames)", p.OutTimeSeconds, p.Frame)
	}
	return text
}

func requirements(r *ffrtmp.Requires) string {
	if r.IsZero() {
		return ""
	}
	var list []string
	if r.Encoder != "" {
		list = append(list, "encoder "+r.Encoder)
	}
	if r.CodecEncoder != "" {
		list = append(list, "encoder "+r.CodecEncoder)
	}
	if r.GPU {
		list = append(list, "a GPU")
	}
	if r.MinCPUThreads > 0 {
		list = append(list, cli.Count(r.MinCPUThreads, "CPU thread"))
	}
	if r.MinRAMBytes > 0 {
		list = append(list, cli.Size(r.MinRAMBytes)+" of memory")
	}
	if len(r.Labels) > 0 {
		list = append(list, "labels "+cli.Pairs(r.Labels))
	}
	return strings.Join(list, ", ")
}

func attemptTable(attempts []ffrtmp.Attempt) *cli.Table {
	t := cli.NewTable("ATTEMPT<", "NODE~", "OUTCOME", "STARTED<", "TOOK<", "ERROR~")
	for _, a := range attempts {
		took := ""
		if !a.EndedAt.IsZero() {
			took = cli.Span(a.EndedAt.Sub(a.StartedAt))
		}
		fault := a.Error
		if a.FailureReason != "" && fault != "" {
			fault = string(a.FailureReason) + ": " + fault
		}
		t.Add(a.Attempt, a.NodeID, outcome(a.Outcome), cli.Age(a.StartedAt), took,
			cmp.Or(fault, string(a.FailureReason)))
	}
	return t
}

func outcome(o ffrtmp.Outcome) cli.Cell {
	colours := map[ffrtmp.Outcome]cli.Colour{
		ffrtmp.AttemptRunning:   cli.Cyan,
		ffrtmp.AttemptCompleted: cli.Green,
		ffrtmp.AttemptFailed:    cli.Red,
		ffrtmp.AttemptTimedOut:  cli.Red,
		ffrtmp.AttemptLost:      cli.Yellow,
		ffrtmp.AttemptCanceled:  cli.Faint,
	}
	return cli.Coloured(string(o), colours[o])
}

// status is a job's status in its colour.
func status(s ffrtmp.Status) cli.Cell {
	colours := map[ffrtmp.Status]cli.Colour{
		ffrtmp.Running: cli.Cyan, ffrtmp.Paused: cli.Yellow, ffrtmp.Completed: cli.Green, ffrtmp.Failed: cli.Red,
		ffrtmp.Canceled: cli.Faint,
	}
	return cli.Coloured(string(s), colours[s])
}

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
