package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/v22"
)

// importBytes is the approximate size of one request: far below the masters' limit, to keep entries of the Raft log
// small.
const importBytes = 1 << 20

// importRun sends rows in batches and counts the results.
type importRun struct {
	client *client.Client
	report importReport

	batch   ffrtmp.Import
	size    int
	pending []importedRow     // of the batch: its nodes, or its jobs
	nodes   map[string]string // new id by id in v2.2
}

func newImportRun(cl *client.Client, report importReport) *importRun {
	report.NotTaken = []importedRow{}
	return &importRun{client: cl, report: report, nodes: map[string]string{}}
}

// run imports everything, nodes first, because jobs refer to them.
func (i *importRun) run(ctx context.Context, db *v22.Database) error {
	for n, err := range db.Nodes(ctx) {
		if err != nil {
			return err
		}
		row := importedRow{Kind: kindNode, ID: n.ID, Was: n.Status, becomes: string(ffrtmp.NodeOffline)}
		add := func() { i.batch.Nodes = append(i.batch.Nodes, n.Node) }
		if err := i.take(ctx, row, n.Err, &n.Node, add); err != nil {
			return err
		}
	}
	if err := i.flush(ctx); err != nil {
		return err
	}
	for j, err := range db.Jobs(ctx) {
		if err != nil {
			return err
		}
		j.Job.Logs = ffrtmp.LogTail(j.Job.Logs)
		if a := j.Job.LastAttempt; a != nil {
			a.NodeID = i.nodes[a.NodeID]
		}
		row := importedRow{
			Kind: kindJob, ID: j.ID, SequenceNumber: j.Sequence, Was: j.Status, becomes: string(j.Job.Status),
		}
		if err := i.take(ctx, row, j.Err, &j.Job, func() { i.batch.Jobs = append(i.batch.Jobs, j.Job) }); err != nil {
			return err
		}
	}
	return i.flush(ctx)
}

// take adds a translated row to the batch with add. It sends the batch first when the row does not fit.
func (i *importRun) take(ctx context.Context, row importedRow, fault error, item any, add func()) error {
	if fault != nil {
		i.report.refuse(row, fault)
		return nil
	}
	data, err := json.Marshal(item)
	if err == nil && len(data) > ffrtmp.MaxImportBytes/2 {
		err = ffrtmp.Errorf(ffrtmp.TooLarge, "larger than %d bytes", ffrtmp.MaxImportBytes/2)
	}
	if err != nil {
		i.report.refuse(row, err)
		return nil
	}
	if len(i.pending) == ffrtmp.MaxImport || len(i.pending) > 0 && i.size+len(data) > importBytes {
		if err := i.flush(ctx); err != nil {
			return err
		}
	}
	add()
	i.pending, i.size = append(i.pending, row), i.size+len(data)
	return nil
}

// flush sends the batch.
func (i *importRun) flush(ctx context.Context) error {
	if len(i.pending) == 0 {
		return ctx.Err()
	}
	answer, err := i.client.Import(ctx, i.batch, i.report.DryRun)
	if err != nil {
		return err
	}
	results := slices.Concat(answer.Nodes, answer.Jobs)
	if len(results) != len(i.pending) {
		return ffrtmp.Errorf(ffrtmp.Internal, "the masters answered with %d results for %d rows", len(results),
			len(i.pending))
	}
	for k, row := range i.pending {
		if row.Kind == kindNode && results[k].Outcome != ffrtmp.ImportRefused {
			i.nodes[row.ID] = results[k].ID
		}
		i.report.record(row, results[k])
	}
	i.batch, i.pending, i.size = ffrtmp.Import{}, nil, 0
	return nil
}
