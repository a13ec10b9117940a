package main

import (
	"fmt"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// snapshotReport is what a snapshot holds.
type snapshotReport struct {
	File  string `json:"file"`
	Kind  string `json:"kind"`
	Bytes int64  `json:"bytes"`
	snapshot.Manifest
}

func newSnapshotReport(path string, kind store.FileKind, m snapshot.Manifest) (snapshotReport, error) {
	info, err := os.Stat(path)
	if err != nil {
		return snapshotReport{}, err
	}
	r := snapshotReport{File: path, Kind: "snapshot", Bytes: info.Size(), Manifest: m}
	if kind == store.KindState {
		r.Kind = "database"
	}
	return r, nil
}

func (r *snapshotReport) fields() *cli.Fields {
	f := &cli.Fields{}
	f.Add("File", r.File)
	f.Add("Kind", map[string]string{"snapshot": "snapshot", "database": "copy of a master's database"}[r.Kind])
	f.Add("Size", fmt.Sprintf("%s (database %s)", cli.Size(r.Bytes), cli.Size(r.Size)))
	f.Add("Cluster ID", r.ClusterID)
	f.Add("Created", cli.Moment(r.CreatedAt))
	f.Add("Index", r.Index)
	f.Add("Term", r.Term)
	f.Add("Lease epoch", r.LeaseEpoch)
	f.Add("Jobs", r.Jobs)
	f.Add("Nodes", r.Nodes)
	f.Add("API keys", r.Keys)
	f.Add("Schema", r.SchemaVersion)
	f.Add("Written by", r.Version)
	return f
}

// transfer shows on a terminal how much of a database has been copied. It discards what it is given.
type transfer struct {
	c     *command
	verb  string
	total int64 // bytes; 0: not known yet
	done  int64
	shown time.Time
}

func (c *command) newTransfer(verb string) *transfer { return &transfer{c: c, verb: verb} }

// transferPace is the time between two updates of the terminal.
const transferPace = 200 * time.Millisecond

func (t *transfer) Write(p []byte) (int, error) {
	t.show(t.done + int64(len(p)))
	return len(p), nil
}

// show shows that done bytes have been copied.
func (t *transfer) show(done int64) {
	t.done = done
	if t.c.terminal(t.c.err).Interactive() && time.Since(t.shown) >= transferPace {
		t.shown = time.Now()
		percent := 0
		if t.total > 0 {
			percent = int(100 * t.done / t.total)
		}
		fmt.Fprintf(t.c.err, "\r\x1b[K%s %s %3d%%  %s of %s", t.verb, cli.Bar(percent, 20), percent, cli.Size(t.done),
			cli.Size(t.total))
	}
}

func (t *transfer) end() {
	if !t.shown.IsZero() {
		fmt.Fprint(t.c.err, "\r\x1b[K")
	}
}
