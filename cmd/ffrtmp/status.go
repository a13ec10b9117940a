package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
)

func (c *cli) jobsStatus() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "status [JOB]",
		Short: "Show a job, by number or id; without one, list jobs",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("JOB")(cmd, args)
		},
		ValidArgsFunction: c.firstJob(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.listJobs(cmd, client.ListOptions{Limit: 50}, false)
			}
			if follow {
				return c.watch(cmd.Context(), args[0])
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			j, err := cl.Job(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("job %s: %w", args[0], err)
			}
			return c.printJob(j)
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "the same as jobs watch")
	return cmd
}

func (c *cli) printJob(j ffrtmp.Job) error {
	people := []writer{jobFields(j)}
	if len(j.Attempts) > 0 {
		people = append(people, attemptTable(j.Attempts))
	}
	return c.print(j, people...)
}

func jobFields(j ffrtmp.Job) *fields {
	f := &fields{}
	f.add("Job", j.SequenceNumber)
	f.add("ID", j.ID)
	f.add("Scenario", j.Scenario)
	f.add("Confidence", j.Confidence)
	f.add("Engine", j.Engine)
	f.add("Status", status(j.Status))
	f.add("Queue", j.Queue)
	f.add("Priority", j.Priority)
	f.add("Progress", progressText(j))
	f.add("Node", first(j.NodeName, j.NodeID))
	f.add("Retries", fmt.Sprintf("%d of %d", j.RetryCount, j.MaxRetries))
	f.add("Not before", moment(j.NotBefore))
	f.add("Retry reason", j.RetryReason)
	f.add("Error", cell{j.Error, red})
	f.add("Failure reason", string(j.FailureReason))
	f.add("Labels", pairs(j.Labels))
	f.add("Requires", requirements(j.Requires))
	f.add("Created", moment(j.CreatedAt))
	f.add("Started", moment(j.StartedAt))
	f.add("Completed", moment(j.CompletedAt))
	f.add("Times out", moment(j.TimeoutAt))
	if j.Output != nil {
		f.add("Output", fmt.Sprintf("%s (%s)", j.Output.Path, size(j.Output.SizeBytes)))
		f.add("SHA-256", j.Output.SHA256)
	}
	f.add("Parameters", string(j.Parameters))
	return f
}

// progressText is the progress in per cent and, while ffmpeg runs, what it says.
func progressText(j ffrtmp.Job) string {
	text := fmt.Sprintf("%d%%", j.Progress)
	if p := j.ProgressDetail; p != nil && !j.Status.Terminal() {
		text = strings.Join(append([]string{text}, encodeFacts(p)...), ", ")
	}
	return text
}

// encodeFacts is what ffmpeg says of itself, the most wanted first.
func encodeFacts(p *ffrtmp.Progress) []string {
	var facts []string
	if p.Phase != "" && p.Phase != "encoding" {
		facts = append(facts, p.Phase)
	}
	if p.ETASeconds > 0 {
		facts = append(facts, clock(p.ETASeconds)+" left")
	}
	if p.FPS > 0 {
		facts = append(facts, fmt.Sprintf("%.0f fps", p.FPS))
	}
	if p.Speed > 0 {
		facts = append(facts, fmt.Sprintf("%.1fx", p.Speed))
	}
	return facts
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
		list = append(list, count(r.MinCPUThreads, "CPU thread"))
	}
	if r.MinRAMBytes > 0 {
		list = append(list, size(r.MinRAMBytes)+" of memory")
	}
	if len(r.Labels) > 0 {
		list = append(list, "labels "+pairs(r.Labels))
	}
	return strings.Join(list, ", ")
}

func attemptTable(attempts []ffrtmp.Attempt) *table {
	t := newTable("ATTEMPT<", "NODE~", "OUTCOME", "STARTED<", "TOOK<", "ERROR~")
	for _, a := range attempts {
		took := ""
		if !a.EndedAt.IsZero() {
			took = span(a.EndedAt.Sub(a.StartedAt))
		}
		fault := a.Error
		if a.FailureReason != "" && fault != "" {
			fault = string(a.FailureReason) + ": " + fault
		}
		t.add(a.Attempt, a.NodeID, outcome(a.Outcome), age(a.StartedAt), took, first(fault, string(a.FailureReason)))
	}
	return t
}

func outcome(o ffrtmp.Outcome) cell {
	colours := map[ffrtmp.Outcome]colour{
		ffrtmp.AttemptRunning: cyan, ffrtmp.AttemptCompleted: green, ffrtmp.AttemptFailed: red, ffrtmp.AttemptTimedOut: red,
		ffrtmp.AttemptLost: yellow, ffrtmp.AttemptCanceled: faint,
	}
	return cell{string(o), colours[o]}
}
