package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/version"
)

func (c *command) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit and Go version",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			document := map[string]string{"version": version.Version, "commit": version.Commit, "go": runtime.Version()}
			return c.print(document, cli.Line(version.Line("ffrtmp")))
		},
	}
}
