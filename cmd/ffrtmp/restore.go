package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

func (c *command) snapshotRestore() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Replace all jobs by those of a snapshot",
		Long: `Replace all jobs of the cluster, fresh or live, by those of a snapshot. FILE may also be a
copy of a master's database, made by "sqlite3 master.db '.backup FILE'" or, of a stopped
master, by "cp -L master.db FILE".

  ffrtmp snapshot restore backup.snap

The file is checked first. Then all masters have its jobs, or nothing has changed.
Jobs that were submitted after it are gone, and jobs that were finished after it run again.
Every attempt ends: agents stop what they run, and what they still report is refused.
API keys, nodes, events and the audit log of this cluster stay; keys and nodes that only
the snapshot has are added.`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				return c.restoreSnapshot(ctx, cl, args[0], yes, force)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask for confirmation")
	cmd.Flags().BoolVar(&force, "force", false, "accept a snapshot of another cluster although this one has jobs")
	return cmd
}

func (c *command) restoreSnapshot(ctx context.Context, cl *client.Client, path string, yes, force bool) (err error) {
	report, err := c.inspectSnapshot(ctx, path)
	if err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	if !yes {
		if err := c.confirmRestore(&report); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "ffrtmp-restore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	restored, err := c.sendSnapshot(ctx, cl, path, dir, force)
	if err != nil {
		return fmt.Errorf("restore snapshot: %w", err)
	}
	return c.print(restored, cli.Line(fmt.Sprintf("Restored %s; %s ended.", cli.Count(int(restored.Jobs), "job"),
		cli.Count(restored.EndedAttempts, "attempt"))))
}

// sendSnapshot sends a file to the masters, and shows how much of it they have.
func (c *command) sendSnapshot(ctx context.Context, cl *client.Client, path, dir string, force bool) (
	restored ffrtmp.RestoredSnapshot, err error,
) {
	file, _, err := openSnapshot(ctx, path, dir)
	if err != nil {
		return restored, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return restored, err
	}
	progress := c.newTransfer("Sending")
	defer progress.end()
	progress.total = info.Size()
	var options []client.Option
	if force {
		options = append(options, client.Force())
	}
	return cl.RestoreSnapshot(ctx, client.File{ReaderAt: file, Size: info.Size(), Sent: progress.show}, options...)
}

// confirmRestore shows what will happen and asks.
func (c *command) confirmRestore(r *snapshotReport) error {
	if err := cli.WriteHuman(c.err, c.terminal(c.err), r.fields()); err != nil {
		return err
	}
	fmt.Fprint(c.err, "Replace all jobs of the cluster by these, and end every attempt? Type yes: ")
	answer, _ := bufio.NewReader(c.in).ReadString('\n') // its end is no answer
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("restore snapshot: not confirmed, nothing was changed (--yes confirms)")
	}
	return nil
}
