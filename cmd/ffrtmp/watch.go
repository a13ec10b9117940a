package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) jobsWatch() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "watch JOB",
		Short: "Watch a job until it ends; fail if the job does",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.watch(cmd, args[0]) },
	})
}

// watch shows a job until it ends. It survives any loss of masters.
func (c *command) watch(cmd *cobra.Command, id string) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		// The first look is not repeated endlessly: what cannot be watched at all is reported.
		if _, err := cl.Job(ctx, id, c.reading.options()...); err != nil {
			return fmt.Errorf("watch job %s: %w", id, err)
		}
		watching, cancel := context.WithCancel(ctx)
		defer cancel()
		observations := make(chan cli.Observation)
		ended := make(chan ending, 1)
		go func() {
			j, err := observe(watching, cl, id, observations, c.reading.options()...)
			ended <- ending{j, err}
		}()
		e := c.show(observations, ended)
		return c.conclude(ctx, id, e.job, e.err)
	})
}

// ending is the result of observe.
type ending struct {
	job ffrtmp.Job
	err error
}

// show shows observations until the watch has ended.
func (c *command) show(observations <-chan cli.Observation, ended <-chan ending) ending {
	v := cli.NewJobView(c.out, c.terminal(c.out), c.settings.Format)
	defer v.End()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	seen, leader := time.Now(), ""
	for {
		select {
		case o := <-observations:
			seen = time.Now()
			if leader != "" && o.Leader != "" && o.Leader != leader {
				v.Note("leader changed: " + o.Leader)
			}
			leader = cmp.Or(o.Leader, leader)
			v.Show(o)
		case <-ticker.C:
			v.Tick(time.Since(seen))
		case <-resized:
			v.Tick(time.Since(seen))
		case e := <-ended:
			return e
		}
	}
}

// explainEvery bounds how often a waiting job is asked about.
const explainEvery = 2 * time.Second

// observe sends every look at the job, and returns the job when it has ended.
func observe(ctx context.Context, cl *client.Client, id string, observations chan<- cli.Observation,
	opts ...client.Option,
) (ffrtmp.Job, error) {
	var meta client.Meta
	var o cli.Observation
	var asked time.Time
	return cl.Wait(ctx, id, func(j ffrtmp.Job) {
		o.Job, o.Leader = j, meta.Leader
		if j.Status != ffrtmp.Pending {
			o.Why, asked = ffrtmp.Explanation{}, time.Time{}
		} else if time.Since(asked) > explainEvery {
			asked = time.Now()
			brief, cancel := context.WithTimeout(ctx, explainEvery)
			// The reason is optional: without an answer the last one stays.
			if why, err := cl.Explain(brief, id); err == nil {
				o.Why = why
			}
			cancel()
		}
		select {
		case observations <- o:
		case <-ctx.Done():
		}
	}, append(opts, client.WithMeta(&meta))...)
}

// conclude reports how a watched job ended: an error unless it completed.
func (c *command) conclude(ctx context.Context, id string, j ffrtmp.Job, err error) error {
	if err != nil {
		if interrupted(ctx, err) {
			return fmt.Errorf("stopped watching; the job continues (ffrtmp jobs watch %s)", id)
		}
		return fmt.Errorf("watch job %s: %w", id, err)
	}
	if c.settings.Format == cli.FormatJSON {
		if err := c.print(j); err != nil {
			return err
		}
	}
	switch j.Status {
	case ffrtmp.Completed:
		return c.printText(completion(j))
	case ffrtmp.Failed:
		c.logTail(j)
		return fmt.Errorf("job %d failed after %s: %s", j.SequenceNumber, cli.Count(j.Attempt, "attempt"),
			cmp.Or(j.Error, string(j.FailureReason), "no reason given"))
	}
	return fmt.Errorf("job %d was canceled", j.SequenceNumber)
}

// printText prints a line, except with JSON, whose document contains it.
func (c *command) printText(text string) error {
	if c.settings.Format == cli.FormatJSON {
		return nil
	}
	_, err := fmt.Fprintln(c.out, cli.Printable(text))
	return err
}

func completion(j ffrtmp.Job) string {
	text := fmt.Sprintf("Job %d completed", j.SequenceNumber)
	if name := cmp.Or(j.NodeName, j.NodeID); name != "" {
		text += " on " + name
	}
	if !j.StartedAt.IsZero() && j.CompletedAt.After(j.StartedAt) {
		text += " in " + cli.Span(j.CompletedAt.Sub(j.StartedAt))
	}
	if j.Output != nil {
		text += fmt.Sprintf(": %s (%s)", j.Output.Path, cli.Size(j.Output.SizeBytes))
	}
	return text
}

const tailLines = 20

// logTail shows the end of a failed job's log.
func (c *command) logTail(j ffrtmp.Job) {
	lines := strings.Split(strings.TrimSpace(cli.PrintableLog(j.Logs)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	if text := strings.Join(lines, "\n"); text != "" {
		fmt.Fprintf(c.err, "Last lines of the log (in full: ffrtmp jobs logs %d):\n%s\n", j.SequenceNumber, text)
	}
}
