package main

import (
	"strconv"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/flags"
)

// beginTrace begins the trace of one command line: its requests, and the attempts of the jobs that
// it submits.
func (c *command) beginTrace(cmd *cobra.Command) (err error) {
	logger := hclog.New(&hclog.LoggerOptions{Name: "ffrtmp", Output: c.err})
	if c.tracer, err = c.settings.Tracing.Open(cmd.Context(), "ffrtmp", "", logger); err != nil {
		return flags.Usagef("--tracing-endpoint: %v", err)
	}
	ctx, span := c.tracer.Start(cmd.Context(), cmd.CommandPath())
	c.span = span
	cmd.SetContext(ctx)
	return nil
}

func (c *command) endTrace(code int) {
	if code != exitDone {
		c.span.Fail("exit code " + strconv.Itoa(code))
	}
	c.span.End()
	c.tracer.Close()
}
