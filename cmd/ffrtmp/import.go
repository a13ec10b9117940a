package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/flags"
	"github.com/ffrtmp/ffrtmp/internal/v22"
)

func (c *command) importCommand() *cobra.Command {
	var from, results string
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
Nodes are offline until their agents connect. Finished jobs are imported whatever their scenario was.

The files in ` + v22.ResultsDir + `, beside the database or at --results, become the metrics of
the attempts that they are about.

Nothing is imported twice: repeat an interrupted import to complete it. The exit code
is 1 when a row was refused.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return flags.Usagef("--from is missing: name the database file of the v2.2 master")
			}
			return c.importFrom(cmd.Context(), from, cmp.Or(results, beside(from, v22.ResultsDir)), dryRun)
		},
	}
	set := cmd.Flags()
	set.StringVar(&from, "from", "", "database file of the v2.2 master")
	set.StringVar(&results, "results", "",
		"directory with result files of the v2.2 master (default beside the database: test_results)")
	set.BoolVar(&dryRun, "dry-run", false, "report what would be imported and change nothing")
	return cmd
}

// beside returns the path of a file in the directory of another one.
func beside(path, name string) string { return filepath.Join(filepath.Dir(path), name) }

func (c *command) importFrom(ctx context.Context, path, resultsDir string, dryRun bool) (err error) {
	if kind, err := store.FileKindOf(path); err == nil && kind != store.KindOther {
		return fmt.Errorf("import: %s is a snapshot or a copy of this version's database, not of v2.2: "+
			"use ffrtmp snapshot restore %s", path, path)
	}
	db, err := v22.Open(ctx, path)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	results, err := v22.ReadResults(resultsDir)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	i := newImportRun(cl, importReport{From: path, DryRun: dryRun})
	i.results = results
	stopped := i.run(ctx, db)
	i.report.Results, i.report.ResultsUsed = results.Count()
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

// importBytes is the approximate size of one request: far below the masters' limit, to keep entries of the Raft log
// small.
const importBytes = 1 << 20

// importRun sends rows in batches and counts the results.
type importRun struct {
	client  *client.Client
	report  importReport
	results *v22.Results

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
		if a := j.Job.LastAttempt; a != nil {
			a.NodeID, a.Metrics = i.nodes[a.NodeID], i.results.Of(&j.Job)
		}
		for k := range j.Job.EarlierAttempts {
			a := &j.Job.EarlierAttempts[k]
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

const (
	kindJob  = "job"
	kindNode = "node"
)

// importReport is the result of an import.
type importReport struct {
	From        string          `json:"from"`
	DryRun      bool            `json:"dry_run"`
	Imported    int             `json:"imported"` // or to be imported, in a dry run
	Exist       int             `json:"exist"`
	Refused     int             `json:"refused"`
	Renumbered  int             `json:"renumbered"`   // jobs that did not keep their number
	Results     int             `json:"results"`      // entries of result files
	ResultsUsed int             `json:"results_used"` // those that became metrics of an attempt
	Summary     []importSummary `json:"summary"`
	NotTaken    []importedRow   `json:"not_taken"`
}

// importSummary counts rows of one kind and status.
type importSummary struct {
	Kind     string `json:"kind"`
	Was      string `json:"was"`     // status in v2.2
	Becomes  string `json:"becomes"` // status here
	Imported int    `json:"imported"`
	Exist    int    `json:"exist"`
	Refused  int    `json:"refused"`
}

// importedRow is a row of the v2.2 database.
type importedRow struct {
	Kind           string `json:"kind"`
	ID             string `json:"id"`
	SequenceNumber uint64 `json:"sequence_number,omitempty"`
	Was            string `json:"was"`
	Field          string `json:"field,omitempty"`
	Reason         string `json:"reason"`
	becomes        string
}

// record counts the masters' result for a row.
func (r *importReport) record(row importedRow, result ffrtmp.ImportResult) {
	s := r.of(row)
	switch result.Outcome {
	case ffrtmp.ImportTaken:
		s.Imported++
		r.Imported++
		if !r.DryRun && row.SequenceNumber != 0 && result.SequenceNumber != row.SequenceNumber {
			r.Renumbered++
		}
	case ffrtmp.ImportExists:
		s.Exist++
		r.Exist++
	default:
		s.Refused++
		r.Refused++
		row.Field, row.Reason = result.Field, result.Error
		r.NotTaken = append(r.NotTaken, row)
	}
}

// refuse counts a row that could not be translated.
func (r *importReport) refuse(row importedRow, fault error) {
	result := ffrtmp.ImportResult{Outcome: ffrtmp.ImportRefused, Error: fault.Error()}
	var e *ffrtmp.Error
	if errors.As(fault, &e) {
		result.Field = e.Field
	}
	r.record(row, result)
}

// of returns the counts that a row belongs to.
func (r *importReport) of(row importedRow) *importSummary {
	at, found := slices.BinarySearchFunc(r.Summary, row, func(s importSummary, row importedRow) int {
		// Nodes before jobs.
		return cmp.Or(-cmp.Compare(s.Kind, row.Kind), cmp.Compare(s.Was, row.Was))
	})
	if !found {
		r.Summary = slices.Insert(r.Summary, at, importSummary{Kind: row.Kind, Was: row.Was, Becomes: row.becomes})
	}
	return &r.Summary[at]
}

// sort sorts refused rows by their order in the database.
func (r *importReport) sort() {
	slices.SortStableFunc(r.NotTaken, func(a, b importedRow) int {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.SequenceNumber, b.SequenceNumber))
	})
}

// parts returns the report as tables.
func (r *importReport) parts() []cli.HumanWriter {
	imported := "IMPORTED<"
	if r.DryRun {
		imported = "TO IMPORT<"
	}
	summary := cli.NewTable("KIND", "IN V2.2", "HERE", imported, "EXISTING<", "REFUSED<")
	for _, s := range r.Summary {
		summary.Add(s.Kind, s.Was, s.Becomes, s.Imported, s.Exist, s.Refused)
	}
	shown := []cli.HumanWriter{summary}
	if len(r.NotTaken) > 0 {
		t := cli.NewTable("REFUSED", "NUMBER<", "ID", "REASON~")
		for _, row := range r.NotTaken {
			number := ""
			if row.SequenceNumber != 0 {
				number = fmt.Sprint(row.SequenceNumber)
			}
			t.Add(row.Kind, number, row.ID, row.Reason)
		}
		shown = append(shown, t)
	}
	taken := "imported"
	if r.DryRun {
		taken = "to import (dry run: nothing was changed)"
	}
	last := cli.Lines{
		fmt.Sprintf("%s %s, %d existing, %d refused.", cli.Count(r.Imported, "row"), taken, r.Exist, r.Refused),
	}
	if r.Renumbered > 0 {
		last = append(
			last,
			fmt.Sprintf("%s got a new number. Find one by its old number: ffrtmp jobs list --label %s=NUMBER",
				cli.Count(r.Renumbered, "job"), v22.SequenceLabel),
		)
	}
	if r.Results > 0 {
		last = append(last, fmt.Sprintf("%d of %s became metrics of an attempt.", r.ResultsUsed,
			cli.Count(r.Results, "result")))
	}
	return append(shown, last)
}
