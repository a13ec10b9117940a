package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) jobsLogs() *cobra.Command {
	var follow bool
	var attempt int
	cmd := &cobra.Command{
		Use:   "logs JOB",
		Short: "Print the ffmpeg log of a job's attempt",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case attempt < 0:
				return flags.Usagef("--attempt: must be at least 1, not %d", attempt)
			case follow && c.settings.Format == cli.FormatJSON:
				return flags.Usagef("--follow streams text: leave out --output json")
			case follow:
				return c.followLog(cmd, args[0], attempt)
			}
			return c.showLog(cmd, args[0], attempt)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "stream the log until the attempt ends")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "attempt, counted from 1 (default the newest)")
	return c.reading.register(cmd)
}

func (c *command) showLog(cmd *cobra.Command, id string, attempt int) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		text, err := cl.Logs(ctx, id, attempt, c.reading.options()...)
		if err != nil {
			return fmt.Errorf("read log of job %s: %w", id, err)
		}
		return c.printLog(id, text)
	})
}

func (c *command) followLog(cmd *cobra.Command, id string, attempt int) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		err := cl.FollowLogs(ctx, id, attempt, c.logWriter(), c.reading.options()...)
		if err == nil || interrupted(ctx, err) {
			return nil
		}
		return fmt.Errorf("follow log of job %s: %w", id, err)
	})
}

func (c *command) printLog(id, text string) error {
	if c.settings.Format == cli.FormatJSON {
		return cli.WriteJSON(c.out, map[string]string{"job_id": id, "logs": text})
	}
	if text == "" {
		fmt.Fprintln(c.err, "The log is empty.")
		return nil
	}
	if text[len(text)-1] != '\n' {
		text += "\n"
	}
	_, err := io.WriteString(c.logWriter(), text)
	return err
}

// logWriter is the output, without control characters when it is a terminal.
func (c *command) logWriter() io.Writer {
	if c.terminal(c.out).Interactive() {
		return safeWriter{c.out}
	}
	return c.out
}

type safeWriter struct{ w io.Writer }

func (s safeWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(s.w, cli.PrintableLog(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
