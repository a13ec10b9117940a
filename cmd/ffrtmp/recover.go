package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp/cluster"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

func (c *command) recoverCommand() *cobra.Command {
	var dir, db string
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "recover --raft-dir DIR",
		Short: "Rebuild a cluster from the data of one stopped master",
		Long: `Rebuild a cluster from the data of one stopped master: a single master whose log is lost or
damaged, or the survivor of a cluster that has lost its majority.

  ffrtmp recover --raft-dir master.raft --dry-run    report what would be recovered
  ffrtmp recover --raft-dir master.raft

The master becomes a cluster of one under a new cluster id, with the newest state that its
database, snapshots and log give. Its old files are kept in a directory named aside-<time>.
Then start it as before; the other masters join it with empty directories, and old copies
of theirs are refused. Of several survivors, recover the one with the highest index.

Entries of the log count even when no majority had them. What was acknowledged and is on
none of this master's files is lost.`,
		Args: exactly(),
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return flags.Usagef("--raft-dir is missing: name the raft directory of the stopped master")
			}
			return c.recover(dir, db, dryRun, yes)
		},
	}
	set := cmd.Flags()
	set.StringVar(&dir, "raft-dir", "", "raft directory of the stopped master")
	set.StringVar(&db, "db", "", "state database (default: the newest in the raft directory)")
	set.BoolVar(&dryRun, "dry-run", false, "report what would be recovered and change nothing")
	set.BoolVar(&yes, "yes", false, "do not ask for confirmation")
	return cmd
}

func (c *command) recover(dir, db string, dryRun, yes bool) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	logger := hclog.New(&hclog.LoggerOptions{Name: "recover", Level: hclog.Warn, Output: c.err})
	r, err := cluster.OpenRecovery(dir, logger)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	states, err := stateFiles(dir, db)
	if err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if err := rebuild(r, states, logger); err != nil {
		return fmt.Errorf("recover: %w", err)
	}
	if !dryRun {
		if err := c.confirmRecovery(r, yes); err != nil {
			return err
		}
		if err := r.Install(inDir(dir, states)...); err != nil {
			return fmt.Errorf("recover: %w", err)
		}
	}
	return c.printRecovery(r, dryRun)
}

// stateFiles returns the state database to use first, and after it others in the directory.
func stateFiles(dir, db string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, snapshot.FilePattern))
	if err != nil {
		return nil, err
	}
	if db != "" {
		path, err := filepath.EvalSymlinks(db)
		if err != nil {
			return nil, err
		}
		return append([]string{path}, found...), nil
	}
	newest, at := 0, time.Time{}
	for i, path := range found {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(at) {
			newest, at = i, info.ModTime()
		}
	}
	if newest > 0 {
		found[0], found[newest] = found[newest], found[0]
	}
	return found, nil
}

// inDir returns those state files, once each, that are moved with the raft directory's other files.
func inDir(dir string, states []string) []string {
	seen := map[string]bool{}
	var files []string
	for _, path := range states {
		if seen[path] || filepath.Dir(path) != filepath.Clean(dir) {
			continue
		}
		seen[path] = true
		files = append(files, path, path+"-wal", path+"-shm")
	}
	return append(files, filepath.Join(dir, store.TrustFile))
}

// rebuild makes the new files from a copy of the first state file.
func rebuild(r *cluster.Recovery, states []string, logger hclog.Logger) (err error) {
	dir := filepath.Join(r.WorkDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	link, trusted := filepath.Join(dir, "state.db"), true
	if len(states) > 0 {
		if link, trusted, err = store.CopyState(states[0], dir); err != nil {
			return err
		}
	}
	var fatal error
	state, err := fsm.Open(fsm.Options{Path: link, Dir: dir, Logger: logger, Fatal: func(err error) { fatal = err }})
	if err != nil {
		return err
	}
	err = r.Build(state, trusted, fsm.Succession)
	return errors.Join(err, fatal, state.Close())
}

// confirmRecovery shows what will happen and asks.
func (c *command) confirmRecovery(r *cluster.Recovery, yes bool) error {
	if yes {
		return nil
	}
	if err := cli.WriteHuman(c.err, c.terminal(c.err), recoveryFields(&r.Report)); err != nil {
		return err
	}
	fmt.Fprint(c.err, "Make this master a cluster of one? Type yes: ")
	answer, _ := bufio.NewReader(c.in).ReadString('\n') // its end is no answer
	if strings.TrimSpace(answer) != "yes" {
		return errors.New("recover: not confirmed, nothing was changed (--yes confirms)")
	}
	return nil
}

func (c *command) printRecovery(r *cluster.Recovery, dryRun bool) error {
	last := "Nothing was changed."
	if !dryRun {
		last = "Recovered. Start this master as before; start the others with empty directories."
	}
	return c.print(r.Report, recoveryFields(&r.Report), cli.Line(last))
}

// memberNames are the names of the former members, this one first.
func memberNames(r *cluster.RecoveryReport) []string {
	var names []string
	for _, id := range r.Members {
		name := cmp.Or(r.Names[id], id)
		if id == r.NodeID {
			names = append([]string{name + " (this one)"}, names...)
			continue
		}
		names = append(names, name)
	}
	return names
}

func recoveryFields(r *cluster.RecoveryReport) *cli.Fields {
	f := &cli.Fields{}
	f.Add("Raft directory", r.RaftDir)
	f.Add("Node ID", r.NodeID)
	f.Add("Cluster ID", r.ClusterID)
	f.Add("Members", strings.Join(memberNames(r), ", "))
	f.Add("Term", r.Term)
	if !r.Written.IsZero() {
		f.Add("Last written", fmt.Sprintf("%s (%s ago)", r.Written.Format(time.RFC3339), cli.Age(r.Written)))
	}
	f.Add("Log", fmt.Sprintf("entries %d to %d", r.FirstIndex, r.LastIndex))
	f.Add("Log problem", r.LogProblem)
	f.Add("Snapshot", fmt.Sprintf("up to entry %d", r.SnapshotIndex))
	f.Add("State", fmt.Sprintf("up to entry %d", r.StateIndex))
	f.Add("State problem", r.StateProblem)
	f.Add("Recovered", fmt.Sprintf("up to entry %d (%d replayed from the log)", r.Index, r.Replayed))
	if r.Index < r.KnownIndex {
		f.Add("Lost", fmt.Sprintf("entries %d to %d", r.Index+1, r.KnownIndex))
	} else {
		f.Add("Lost", "nothing that this master is known to have written")
	}
	f.Add("New cluster ID", r.NewClusterID)
	f.Add("Backup", r.Backup)
	return f
}
