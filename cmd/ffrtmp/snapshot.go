package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

func (c *command) snapshot() *cobra.Command {
	return group("snapshot", "Back up the cluster's state and restore it",
		c.snapshotSave(), c.snapshotInspect(), c.snapshotVerify(), c.snapshotRestore())
}

func (c *command) snapshotSave() *cobra.Command {
	return c.reading.register(&cobra.Command{
		Use:   "save FILE",
		Short: "Save the cluster's state to a file",
		Long: `Save the cluster's state to a file, mode 0600. The file replaces an older one only once
all of it has arrived and its checksums are right.

  ffrtmp snapshot save backup.snap

It is a tar archive: "tar xf backup.snap state.db" extracts the database for sqlite3. It
holds jobs with their parameters, stream keys among them, and of API keys only hashes.`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, func(ctx context.Context, cl *client.Client) error {
				return c.saveSnapshot(ctx, cl, args[0])
			})
		},
	})
}

func (c *command) saveSnapshot(ctx context.Context, cl *client.Client, path string) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("save snapshot: directory of %s: %w", path, errors.Unwrap(err))
	}
	var m snapshot.Manifest
	err := cl.Snapshot(ctx, func(r io.Reader) (err error) {
		m, err = c.receiveSnapshot(r, path)
		return err
	}, c.reading.options()...)
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	report, err := newSnapshotReport(path, store.KindBackup, m)
	if err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	return c.print(report, report.fields(), cli.Line("Saved."))
}

// receiveSnapshot writes a backup to a file and checks it on the way.
func (c *command) receiveSnapshot(r io.Reader, path string) (m snapshot.Manifest, err error) {
	dir := filepath.Dir(path)
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, file.Cleanup()) }()
	progress := c.newTransfer("Saving")
	defer progress.end()
	m, err = snapshot.ReadBackup(io.TeeReader(r, file), progress, func(m snapshot.Manifest) { progress.total = m.Size })
	if err != nil {
		return m, err
	}
	if err := file.CloseAtomicallyReplace(); err != nil {
		return m, err
	}
	return m, atomicfile.SyncDir(dir)
}

func (c *command) snapshotInspect() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a snapshot holds",
		Long: `Show what a snapshot holds, and check its checksums. FILE may also be a copy of a master's
database, made by "sqlite3 master.db '.backup FILE'" or "cp -L master.db FILE".`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := c.inspectSnapshot(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("inspect snapshot: %w", err)
			}
			return c.print(report, report.fields())
		},
	}
}

func (c *command) inspectSnapshot(ctx context.Context, path string) (report snapshotReport, err error) {
	kind, err := snapshotKind(path)
	if err != nil {
		return report, err
	}
	var m snapshot.Manifest
	if kind == store.KindState {
		m, err = fsm.PackState(ctx, path, io.Discard)
	} else {
		m, err = readSnapshot(path)
	}
	if err != nil {
		return report, err
	}
	return newSnapshotReport(path, kind, m)
}

// snapshotKind returns the kind of a file that can be restored.
func snapshotKind(path string) (store.FileKind, error) {
	kind, err := store.FileKindOf(path)
	if err == nil && kind == store.KindOther {
		err = fmt.Errorf("%s is neither a snapshot nor a copy of a master's database", path)
	}
	return kind, err
}

func readSnapshot(path string) (m snapshot.Manifest, err error) {
	file, err := os.Open(path)
	if err != nil {
		return m, err
	}
	defer file.Close()
	return snapshot.ReadBackup(bufio.NewReader(file), io.Discard, nil)
}

func (c *command) snapshotVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that a snapshot can be restored",
		Long: `Check that a snapshot, or a copy of a master's database, can be restored: its checksums,
SQLite's own check of the database, its version, and that a master can load it. It needs
space for the database in $TMPDIR.`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := c.verifySnapshot(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("verify snapshot: %w", err)
			}
			return c.print(report, report.fields(), cli.Line("It can be restored."))
		},
	}
}

func (c *command) verifySnapshot(ctx context.Context, path string) (report snapshotReport, err error) {
	dir, err := os.MkdirTemp("", "ffrtmp-verify-")
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file, kind, err := openSnapshot(ctx, path, dir)
	if err != nil {
		return report, err
	}
	defer file.Close()
	_, m, err := fsm.OpenBackup(file, dir) //nolint:contextcheck // SQLite is not interrupted
	if err != nil {
		return report, err
	}
	return newSnapshotReport(path, kind, m)
}

// openSnapshot opens a backup, or makes one in dir of a master's database.
func openSnapshot(ctx context.Context, path, dir string) (*os.File, store.FileKind, error) {
	kind, err := snapshotKind(path)
	if err != nil {
		return nil, kind, err
	}
	if kind != store.KindState {
		file, err := os.Open(path)
		return file, kind, err
	}
	file, err := store.TemporaryFile(dir)
	if err != nil {
		return nil, kind, err
	}
	if _, err = fsm.PackState(ctx, path, file); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, kind, errors.Join(err, file.Close())
	}
	return file, kind, nil
}
