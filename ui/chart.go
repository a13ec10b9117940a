package ui

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// chart is a drawing that the master makes. It needs no script, and looks the same after a part of a page is loaded
// again.
type chart struct {
	Title  string
	Series []series
	Top    string // the value at its upper edge
	From   string // what its left edge stands for
	To     string // its right edge
	Spots  []spot // what a pointer finds
	Wide   int    // of the drawing
	High   int
}

// series is a line or a layer of bars of a chart.
type series struct {
	Label  string
	Class  string // of its color
	Values []float64
	Path   string // as SVG draws it
	Last   string // its latest value in words, or its sum
}

// spot is a part of a chart that explains itself under a pointer.
type spot struct {
	X, Width int
	Text     string
}

// Size of a drawing; the page stretches it.
const (
	chartWide = 1200
	chartHigh = 160
)

// Summary describes a chart in words.
func (c chart) Summary() string {
	parts := make([]string, len(c.Series))
	for i, s := range c.Series {
		parts[i] = s.Label + " " + s.Last
	}
	return c.Title + ", " + c.From + " to " + c.To + ": " + strings.Join(parts, ", ")
}

// newChart returns a chart without a path. moments names its points; all series have as many values.
func newChart(title string, moments []string, unit func(float64) string, list []series) chart {
	c := chart{Title: title, Series: list, Wide: chartWide, High: chartHigh}
	for i, moment := range moments {
		from, to := chartWide*i/len(moments), chartWide*(i+1)/len(moments)
		c.Spots = append(c.Spots, spot{from, to - from, moment + spotText(list, i, unit)})
	}
	return c
}

// spotText lists the values of one point.
func spotText(list []series, at int, unit func(float64) string) string {
	var b strings.Builder
	for _, s := range list {
		if v := s.Values[at]; !math.IsNaN(v) {
			b.WriteString("\n" + s.Label + ": " + unit(v))
		}
	}
	return b.String()
}

// barChart stacks the values of each point.
func barChart(title string, moments []string, list ...series) chart {
	c := newChart(title, moments, whole, list)
	sums := make([]float64, len(moments))
	for _, s := range list {
		for i, v := range s.Values {
			sums[i] += v
		}
	}
	top := ceiling(sums)
	c.Top = whole(top)
	bottom := make([]float64, len(moments))
	for i := range c.Series {
		s := &c.Series[i]
		var path strings.Builder
		total := 0.0
		for at, v := range s.Values {
			total += v
			if v <= 0 {
				continue
			}
			y, height := level(bottom[at]+v, top), level(bottom[at], top)-level(bottom[at]+v, top)
			x, width := c.Spots[at].X+1, c.Spots[at].Width-2
			fmt.Fprintf(&path, "M%d %sh%dv%sh-%dz", x, coordinate(y), width, coordinate(height), width)
			bottom[at] += v
		}
		s.Path, s.Last = path.String(), whole(total)
	}
	return c
}

// lineChart draws a line for each series. A value that is not a number breaks its line.
func lineChart(title string, moments []string, unit func(float64) string, list ...series) chart {
	c := newChart(title, moments, unit, list)
	var all []float64
	for _, s := range list {
		all = append(all, s.Values...)
	}
	top := ceiling(all)
	c.Top = unit(top)
	for i := range c.Series {
		c.Series[i].draw(top, unit)
	}
	return c
}

func (s *series) draw(top float64, unit func(float64) string) {
	var path strings.Builder
	s.Last = "–"
	command := "M"
	for at, v := range s.Values {
		if math.IsNaN(v) {
			command = "M"
			continue
		}
		x := chartWide * (2*at + 1) / (2 * len(s.Values))
		fmt.Fprintf(&path, "%s%d %s", command, x, coordinate(level(v, top)))
		if command == "M" {
			path.WriteString("h4") // a lone point can be seen, too
		}
		command, s.Last = "L", unit(v)
	}
	s.Path = path.String()
}

// level is the height of a value, from the upper edge.
func level(v, top float64) float64 { return chartHigh * (1 - v/top) }

func coordinate(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

// ceiling is a round number that is at least as large as all values.
func ceiling(values []float64) float64 {
	most := 0.0
	for _, v := range values {
		if v > most && !math.IsInf(v, 0) {
			most = v
		}
	}
	if most == 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most)))
	for _, step := range []float64{1, 2, 5} {
		if most <= step*power {
			return step * power
		}
	}
	return 10 * power
}

// whole formats a count.
func whole(f float64) string { return count(int(f)) }
