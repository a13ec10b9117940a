package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/v22"
)

func (c *command) importCommand() *cobra.Command {
	var from string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "import --from FILE",
		Short: "Take over the jobs and nodes of a v2.2 master",
		Long: `Take over the jobs and nodes of a v2.2 master, whose database is only read. Stop that
master first.

  ffrtmp import --from master.db --dry-run    say what would become of every row
  ffrtmp import --from master.db

Ids are kept, and numbers where this cluster has not passed them; each job's old number
is also its label ` + v22.SequenceLabel + `. Jobs that were not over run again, in their old order.
Nodes are offline until their agents are heard of.

Nothing is taken twice: an import that was interrupted is completed by running it again.
The exit code is 1 when a row was not taken.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return flags.Usagef("--from is missing: name the database file of the v2.2 master")
			}
			return c.importFrom(cmd.Context(), from, dryRun)
		},
	}
	set := cmd.Flags()
	set.StringVar(&from, "from", "", "`FILE` that is the v2.2 master's database")
	set.BoolVar(&dryRun, "dry-run", false, "change nothing, and say what would become of every row")
	return cmd
}

func (c *command) importFrom(ctx context.Context, path string, dryRun bool) (err error) {
	db, err := v22.Open(ctx, path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	i := newImportRun(cl, importReport{From: path, DryRun: dryRun})
	stopped := i.run(ctx, db)
	i.report.sort()
	if err := c.print(&i.report, i.report.parts()...); err != nil {
		return err
	}
	switch {
	case interrupted(ctx, stopped):
		return errors.New("import: interrupted; run it again to take the rest")
	case stopped != nil:
		return fmt.Errorf("import: stopped before its end, run it again to take the rest: %w", stopped)
	case i.report.Refused > 0:
		return fmt.Errorf("import: not taken: %s", cli.Count(i.report.Refused, "row"))
	}
	return nil
}
