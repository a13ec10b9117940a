package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
)

func (c *command) jobsLogs() *cobra.Command {
	var follow bool
	var attempt int
	cmd := &cobra.Command{
		Use:   "logs JOB",
		Short: "Print what ffmpeg wrote, of the newest attempt",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if attempt < 0 {
				return flags.Usagef("--attempt: %d is not an attempt: they count from 1", attempt)
			}
			if follow && c.settings.Format == cli.FormatJSON {
				return flags.Usagef("--follow prints text as it comes: leave out --output json")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			if follow {
				err := cl.FollowLogs(cmd.Context(), args[0], attempt, c.logWriter())
				if interrupted(cmd.Context(), err) {
					return nil
				}
				return logError(args[0], err)
			}
			text, err := cl.Logs(cmd.Context(), args[0], attempt)
			if err != nil {
				return logError(args[0], err)
			}
			return c.printLog(args[0], text)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing until the attempt ends")
	cmd.Flags().IntVar(&attempt, "attempt", 0, "`NUMBER` of the attempt (default the newest)")
	return cmd
}

func logError(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("log of job %s: %w", id, err)
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

// logWriter is the output; on a terminal, without what would steer it.
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
