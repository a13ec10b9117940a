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
		Short: "Import jobs and nodes from a v2.2 master",
		Long: `Import jobs and nodes from the database of a v2.2 master. Stop that master first; its
database is only read.

  ffrtmp import --from master.db --dry-run    report what would be imported
  ffrtmp import --from master.db

Jobs keep their ids, and their numbers where those are still free; the label
` + v22.SequenceLabel + ` always holds the old number. Unfinished jobs run again, in their old order.
Nodes are offline until their agents connect.

Nothing is imported twice: repeat an interrupted import to complete it. The exit code
is 1 when a row was refused.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return flags.Usagef("--from is missing: name the database file of the v2.2 master")
			}
			return c.importFrom(cmd.Context(), from, dryRun)
		},
	}
	set := cmd.Flags()
	set.StringVar(&from, "from", "", "database file of the v2.2 master")
	set.BoolVar(&dryRun, "dry-run", false, "report what would be imported and change nothing")
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
		return errors.New("import: interrupted; repeat it to import the rest")
	case stopped != nil:
		return fmt.Errorf("import: incomplete, repeat it to import the rest: %w", stopped)
	case i.report.Refused > 0:
		return fmt.Errorf("import: %s refused", cli.Count(i.report.Refused, "row"))
	}
	return nil
}
