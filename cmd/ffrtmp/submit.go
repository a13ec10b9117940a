package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
)

func (c *command) jobsSubmit() *cobra.Command {
	var f specFlags
	cmd := &cobra.Command{
		Use:   "submit",
		Short: "Submit a job or a batch of jobs",
		Long: `Submit a job described by flags, or one job or a batch {"jobs":[...]} from a JSON file.

  ffrtmp jobs submit --scenario 4K60-h264 --duration 60 --bitrate 10M --watch
  ffrtmp jobs submit --scenario 720p30-h264 --input in.mov --output-file out.mp4
  ffrtmp jobs submit --file jobs.json

A scenario is [live-]SIZE[FPS][-CODEC]; other flags override it. Without --input the
job encodes a test pattern.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.submit(cmd, &f) },
	}
	f.register(cmd)
	return cmd
}

func (c *command) submit(cmd *cobra.Command, f *specFlags) error {
	specs, batch, err := c.specs(cmd, f)
	if err != nil {
		return err
	}
	if batch && f.watch {
		return flags.Usagef("--watch watches one job: leave it out for a batch")
	}
	switch {
	case f.dryRun && (batch || f.watch):
		return flags.Usagef("--dry-run: shows one job, and does not go with a batch or --watch")
	case f.node != "" && !f.dryRun:
		return flags.Usagef("--node: requires --dry-run; to choose a node, use --requires-label")
	}
	if err := validate(specs, batch); err != nil {
		return err
	}
	if f.dryRun {
		return c.dryRun(cmd, specs[0], f.node)
	}
	var options []client.Option
	if f.idempotencyKey != "" {
		options = append(options, client.IdempotencyKey(f.idempotencyKey))
	}
	if batch {
		return c.submitBatch(cmd, specs, options)
	}
	var j ffrtmp.Job
	err = c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		j, err = cl.Submit(ctx, specs[0], options...)
		return err
	})
	if err != nil {
		return fmt.Errorf("submit job: %w", err)
	}
	if f.watch {
		if c.settings.Format == cli.FormatTable {
			fmt.Fprintf(c.out, "Job %d submitted.\n", j.SequenceNumber)
		}
		return c.watch(cmd, j.ID)
	}
	note := fmt.Sprintf("Job %d submitted. Watch it: ffrtmp jobs watch %d", j.SequenceNumber, j.SequenceNumber)
	return c.print(j, submitted(j), cli.Line(note))
}

// validate checks copies of specs: the defaults that Validate fills in are the masters' to choose.
func validate(specs []ffrtmp.Spec, batch bool) error {
	for i, spec := range specs {
		err := spec.Validate()
		switch {
		case err != nil && batch:
			return flags.Usagef("job %d: %v", i+1, err)
		case err != nil:
			return flags.Usagef("%v", err)
		}
	}
	return nil
}

func submitted(j ffrtmp.Job) *cli.Fields {
	f := &cli.Fields{}
	f.Add("Job", j.SequenceNumber)
	f.Add("ID", j.ID)
	f.Add("Scenario", j.Scenario)
	f.Add("Confidence", j.Confidence)
	f.Add("Status", status(j.Status))
	f.Add("Queue", j.Queue)
	f.Add("Priority", j.Priority)
	f.Add("Created", cli.Moment(j.CreatedAt))
	return f
}

func (c *command) submitBatch(cmd *cobra.Command, specs []ffrtmp.Spec, options []client.Option) error {
	return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
		s, err := cl.SubmitBatch(ctx, specs, options...)
		if err != nil {
			return fmt.Errorf("submit %s: %w", cli.Count(len(specs), "job"), err)
		}
		note := cli.Count(s.Count, "job") + " submitted"
		if len(s.Jobs) > 0 {
			note += fmt.Sprintf(": %d to %d", s.Jobs[0].SequenceNumber, s.Jobs[len(s.Jobs)-1].SequenceNumber)
		}
		return c.print(s, cli.Line(note+"."))
	})
}

// specs returns the jobs that the command line describes, and whether they are a batch.
func (c *command) specs(cmd *cobra.Command, f *specFlags) ([]ffrtmp.Spec, bool, error) {
	if f.file == "" {
		spec, err := f.spec()
		return []ffrtmp.Spec{spec}, false, err
	}
	for _, name := range f.own {
		if cmd.Flags().Changed(name) {
			return nil, false, flags.Usagef("--file and --%s exclude each other: put the setting into the file", name)
		}
	}
	data, err := c.read(f.file)
	if err != nil {
		return nil, false, flags.Usagef("--file: %v", err)
	}
	specs, batch, err := parseSpecs(data)
	if err != nil {
		return nil, false, flags.Usagef("--file %s: %v", f.file, err)
	}
	return specs, batch, nil
}

// read returns a file's content; "-" is standard input.
func (c *command) read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(name)
}

// parseSpecs reads one job or {"jobs":[...]}.
func parseSpecs(data []byte) (specs []ffrtmp.Spec, batch bool, err error) {
	var body struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	if err := jsonbody.Decode(data, &body); err != nil {
		return nil, false, err
	}
	if body.Jobs == nil {
		var spec ffrtmp.Spec
		err := jsonbody.Decode(data, &spec)
		return []ffrtmp.Spec{spec}, false, err
	}
	if len(body.Jobs) == 0 || len(body.Jobs) > ffrtmp.MaxBatch {
		return nil, true, fmt.Errorf("jobs: must hold 1 to %d jobs", ffrtmp.MaxBatch)
	}
	for i, raw := range body.Jobs {
		var spec ffrtmp.Spec
		if err := jsonbody.Decode(raw, &spec); err != nil {
			return nil, true, fmt.Errorf("job %d: %w", i+1, err)
		}
		specs = append(specs, spec)
	}
	return specs, true, nil
}
