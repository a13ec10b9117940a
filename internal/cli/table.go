package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Cell is one field of a table.
type Cell struct {
	Text   string
	Colour Colour
}

// Coloured returns a cell in a colour.
func Coloured(s string, c Colour) Cell { return Cell{Text: s, Colour: c} }

// column describes how a column behaves.
type column struct {
	title string
	right bool // numbers
	flex  bool // may be cut when a terminal is too narrow
	spare bool // may be left out when that is not enough
}

// Table is rows of aligned columns, two spaces apart. An empty field is "-".
type Table struct {
	columns []column
	rows    [][]Cell
}

// NewTable takes the titles: "<" after one makes it right aligned, "~" flexible, "?" spare.
func NewTable(titles ...string) *Table {
	t := &Table{}
	for _, title := range titles {
		t.columns = append(t.columns, column{
			title: strings.TrimRight(title, "<~?"),
			right: strings.Contains(title, "<"),
			flex:  strings.Contains(title, "~"),
			spare: strings.Contains(title, "?"),
		})
	}
	return t
}

// Add takes a Cell or anything that fmt prints for each column.
func (t *Table) Add(values ...any) {
	row := make([]Cell, len(t.columns))
	for i, v := range values {
		if row[i] = cellOf(v); row[i].Text == "" {
			row[i].Text = "-"
		}
	}
	t.rows = append(t.rows, row)
}

func cellOf(v any) Cell {
	c, ok := v.(Cell)
	if !ok {
		c.Text = fmt.Sprint(v)
	}
	c.Text = Printable(c.Text)
	return c
}

const (
	columnGap = "  "
	minFlex   = 8
)

// WriteHuman implements HumanWriter. Without a limit of the terminal's it writes the table in full.
func (t *Table) WriteHuman(w io.Writer, term Terminal) error {
	widths := t.fit(term.Width())
	header := make([]Cell, len(t.columns))
	for i, c := range t.columns {
		header[i] = Coloured(c.title, Bold)
	}
	return render(w, term, t.columns, widths, append([][]Cell{header}, t.rows...))
}

// render writes rows with the columns cut to widths.
func render(w io.Writer, term Terminal, columns []column, widths []int, rows [][]Cell) error {
	out := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", columnGap
	out.SetStyle(style)
	out.SuppressTrailingSpaces()
	var configs []table.ColumnConfig
	for i, c := range columns {
		if c.right {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight})
		}
	}
	out.SetColumnConfigs(configs)
	for _, row := range rows {
		var cells table.Row
		for i, c := range row {
			cells = append(cells, term.Paint(c.Colour, clip(c.Text, widths[i])))
		}
		out.AppendRow(cells)
	}
	_, err := io.WriteString(w, out.Render()+"\n")
	return err
}

// fit leaves out spare columns, the last first, until the others fit into limit (0: no limit), and returns their
// widths.
func (t *Table) fit(limit int) []int {
	for {
		widths, ok := t.widths(limit)
		if ok || !t.dropSpare() {
			return widths
		}
	}
}

// dropSpare removes the last spare column, and reports whether there was one.
func (t *Table) dropSpare() bool {
	for i := len(t.columns) - 1; i >= 0; i-- {
		if t.columns[i].spare {
			t.columns = slices.Delete(t.columns, i, i+1)
			for r := range t.rows {
				t.rows[r] = slices.Delete(t.rows[r], i, i+1)
			}
			return true
		}
	}
	return false
}

// widths fits the columns into limit by narrowing the widest flexible one again and again, and reports whether they
// fit.
func (t *Table) widths(limit int) ([]int, bool) {
	widths := make([]int, len(t.columns))
	total := len(columnGap) * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = width(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i].Text))
		}
		total += widths[i]
	}
	for limit > 0 && total > limit {
		widest := -1
		for i, c := range t.columns {
			if c.flex && widths[i] > max(minFlex, len(c.title)) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return widths, false
		}
		widths[widest]--
		total--
	}
	return widths, true
}

// width is the number of columns that s takes on a terminal.
func width(s string) int { return text.StringWidth(s) }

// clip cuts s to a width and marks the cut with an ellipsis.
func clip(s string, columns int) string {
	switch {
	case width(s) <= columns:
		return s
	case columns < 1:
		return ""
	}
	return text.Snip(s, columns, "…")
}

// Fields is a list of names and values, one per line; those without a value are left out.
type Fields struct{ rows [][]Cell }

// Add takes a Cell or anything that fmt prints as the value.
func (f *Fields) Add(name string, value any) {
	if c := cellOf(value); c.Text != "" {
		f.rows = append(f.rows, []Cell{Coloured(name, Bold), c})
	}
}

// WriteHuman implements HumanWriter. It never cuts a value.
func (f *Fields) WriteHuman(w io.Writer, term Terminal) error {
	widths := make([]int, 2)
	for _, row := range f.rows {
		widths[0], widths[1] = max(widths[0], width(row[0].Text)), max(widths[1], width(row[1].Text))
	}
	return render(w, term, make([]column, 2), widths, f.rows)
}
