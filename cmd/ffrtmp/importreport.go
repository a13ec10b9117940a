package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/cli"
	"github.com/ffrtmp/ffrtmp/internal/v22"
)

const (
	kindJob  = "job"
	kindNode = "node"
)

// importReport is the result of an import.
type importReport struct {
	From       string          `json:"from"`
	DryRun     bool            `json:"dry_run"`
	Imported   int             `json:"imported"` // or to be imported, in a dry run
	Exist      int             `json:"exist"`
	Refused    int             `json:"refused"`
	Renumbered int             `json:"renumbered"` // jobs that did not keep their number
	Summary    []importSummary `json:"summary"`
	NotTaken   []importedRow   `json:"not_taken"`
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
	return append(shown, last)
}
