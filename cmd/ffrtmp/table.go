package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// column describes how a column behaves.
type column struct {
	title string
	right bool // numbers
	flex  bool // may be cut when a terminal is too narrow
	spare bool // may be left out when that is not enough
}

// table is rows of aligned columns, two spaces apart. An empty field is "-".
type table struct {
	columns []column
	rows    [][]cell
}

// newTable takes the titles: "<" after one makes it right aligned, "~" flexible, "?" spare.
func newTable(titles ...string) *table {
	t := &table{}
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

// add takes a cell or anything that fmt prints for each column.
func (t *table) add(values ...any) {
	row := make([]cell, len(t.columns))
	for i, v := range values {
		c, ok := v.(cell)
		if !ok {
			c.text = fmt.Sprint(v)
		}
		c.text = printable(c.text)
		if c.text == "" {
			c.text = "-"
		}
		row[i] = c
	}
	t.rows = append(t.rows, row)
}

const (
	columnGap = "  "
	minFlex   = 8
)

// write prints the table to a terminal or, with the zero terminal, in full.
func (t *table) write(w io.Writer, term terminal) error {
	widths := t.fit(term.width())
	var b strings.Builder
	header := make([]cell, len(t.columns))
	for i, c := range t.columns {
		header[i] = cell{c.title, bold}
	}
	for _, row := range append([][]cell{header}, t.rows...) {
		for i, c := range row {
			text := clip(c.text, widths[i])
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
			switch {
			case t.columns[i].right:
				b.WriteString(space + term.paint(c.colour, text))
			case i == len(row)-1:
				b.WriteString(term.paint(c.colour, text))
			default:
				b.WriteString(term.paint(c.colour, text) + space)
			}
			if i < len(row)-1 {
				b.WriteString(columnGap)
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit leaves out spare columns, the last first, until the others fit into limit
// (0: no limit), and returns their widths.
func (t *table) fit(limit int) []int {
	for {
		widths, ok := t.widths(limit)
		if ok || !t.dropSpare() {
			return widths
		}
	}
}

// dropSpare removes the last spare column, and reports whether there was one.
func (t *table) dropSpare() bool {
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

// widths fits the columns into limit by narrowing the widest flexible one, again
// and again, and reports whether they do fit.
func (t *table) widths(limit int) ([]int, bool) {
	widths := make([]int, len(t.columns))
	total := len(columnGap) * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
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

// clip cuts s to a width, which is marked by an ellipsis.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}

// fields is a list of names and values, one a line; those without a value are left out.
type fields struct {
	names  []string
	values []cell
}

func (f *fields) add(name string, value any) {
	c, ok := value.(cell)
	if !ok {
		c.text = fmt.Sprint(value)
	}
	if c.text != "" {
		c.text = printable(c.text)
		f.names, f.values = append(f.names, name), append(f.values, c)
	}
}

func (f *fields) write(w io.Writer, term terminal) error {
	width := 0
	for _, name := range f.names {
		width = max(width, len(name))
	}
	var b strings.Builder
	for i, name := range f.names {
		fmt.Fprintf(&b, "%s%s%s\n", term.paint(bold, fmt.Sprintf("%-*s", width, name)), columnGap, term.paint(f.values[i].colour, f.values[i].text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
