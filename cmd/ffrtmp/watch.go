package main

import (
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
)

func (c *cli) jobsWatch() *cobra.Command {
	return &cobra.Command{
		Use:   "watch JOB",
		Short: "Show a job's progress until it is over; fails if the job does",
		Args:  exactly("JOB"),

		ValidArgsFunction: c.firstJob(),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.watch(cmd.Context(), args[0]) },
	}
}

// sighting is a job as it was last seen.
type sighting struct {
	job    ffrtmp.Job
	why    ffrtmp.Explanation // of a pending job; zero when it could not be had
	leader string             // API URL, "" when not known
}

// view shows sightings as they come.
type view interface {
	show(s sighting)
	// tick is called about once a second, with the time since the last sighting,
	// and when the terminal has changed its size.
	tick(silent time.Duration)
	note(text string)
	// end leaves the place in order.
	end()
}

// watch shows a job until it is over. It outlives any loss of masters.
func (c *cli) watch(ctx context.Context, id string) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	// The first look is not repeated for ever: what cannot be watched at all is told.
	if _, err := cl.Job(ctx, id); err != nil {
		return fmt.Errorf("watch job %s: %w", id, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sightings := make(chan sighting)
	type ending struct {
		job ffrtmp.Job
		err error
	}
	ended := make(chan ending, 1)
	go func() {
		j, err := observe(ctx, cl, id, sightings)
		ended <- ending{j, err}
	}()

	v := c.view()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	seen, leader := time.Now(), ""
	for {
		select {
		case s := <-sightings:
			seen = time.Now()
			if leader != "" && s.leader != "" && s.leader != leader {
				v.note("leader changed: " + s.leader)
			}
			leader = first(s.leader, leader)
			v.show(s)
		case <-ticker.C:
			v.tick(time.Since(seen))
		case <-resized:
			v.tick(time.Since(seen))
		case e := <-ended:
			v.end()
			return c.conclude(ctx, id, e.job, e.err)
		}
	}
}

// explainEvery bounds how often a waiting job is asked about.
const explainEvery = 2 * time.Second

// observe sends every look at the job, and returns the job when it is over.
func observe(ctx context.Context, cl *client.Client, id string, sightings chan<- sighting) (ffrtmp.Job, error) {
	var meta client.Meta
	var s sighting
	var asked time.Time
	return cl.Wait(ctx, id, func(j ffrtmp.Job) {
		s.job, s.leader = j, meta.Leader
		if j.Status != ffrtmp.Pending {
			s.why, asked = ffrtmp.Explanation{}, time.Time{}
		} else if time.Since(asked) > explainEvery {
			asked = time.Now()
			brief, cancel := context.WithTimeout(ctx, explainEvery)
			// Why it waits is an extra: without an answer the last one stands.
			if why, err := cl.Explain(brief, id); err == nil {
				s.why = why
			}
			cancel()
		}
		select {
		case sightings <- s:
		case <-ctx.Done():
		}
	}, client.WithMeta(&meta))
}

// conclude says how a watched job ended; it is an error unless it completed.
func (c *cli) conclude(ctx context.Context, id string, j ffrtmp.Job, err error) error {
	if err != nil {
		if interrupted(ctx, err) {
			return fmt.Errorf("stopped watching; the job goes on (ffrtmp jobs watch %s)", id)
		}
		return fmt.Errorf("watch job %s: %w", id, err)
	}
	if c.settings.format == formatJSON {
		if err := c.print(j); err != nil {
			return err
		}
	}
	switch j.Status {
	case ffrtmp.Completed:
		return c.tell(completion(j))
	case ffrtmp.Failed:
		c.logTail(j)
		return fmt.Errorf("job %d failed after %s: %s", j.SequenceNumber, count(j.Attempt, "attempt"), first(j.Error, string(j.FailureReason), "no reason was given"))
	}
	return fmt.Errorf("job %d was canceled", j.SequenceNumber)
}

// tell prints a line for people; JSON has it in its document.
func (c *cli) tell(text string) error {
	if c.settings.format == formatJSON {
		return nil
	}
	_, err := fmt.Fprintln(c.out, printable(text))
	return err
}

func completion(j ffrtmp.Job) string {
	text := fmt.Sprintf("Job %d completed", j.SequenceNumber)
	if name := first(j.NodeName, j.NodeID); name != "" {
		text += " on " + name
	}
	if !j.StartedAt.IsZero() && j.CompletedAt.After(j.StartedAt) {
		text += " in " + span(j.CompletedAt.Sub(j.StartedAt))
	}
	if j.Output != nil {
		text += fmt.Sprintf(": %s (%s)", j.Output.Path, size(j.Output.SizeBytes))
	}
	return text
}

const tailLines = 20

// logTail shows the end of a failed job's log.
func (c *cli) logTail(j ffrtmp.Job) {
	lines := strings.Split(strings.TrimSpace(printableLog(j.Logs)), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	if text := strings.Join(lines, "\n"); text != "" {
		fmt.Fprintf(c.err, "Last lines of its log (all: ffrtmp jobs logs %d):\n%s\n", j.SequenceNumber, text)
	}
}
