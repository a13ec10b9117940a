package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// figure is the median of several measurements, and how far they are apart.
type figure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func figureOf(values []float64) figure {
	slices.Sort(values)
	middle := len(values) / 2
	f := figure{Median: values[middle], Least: values[0], Most: values[len(values)-1]}
	if len(values)%2 == 0 {
		f.Median = (values[middle-1] + values[middle]) / 2
	}
	return f
}

// row is a system with a number of clients. The ratios to the first system are of
// measurements of the same round: above 1, the rate is higher, and the CPU time too.
type row struct {
	System    string  `json:"system"`
	Clients   int     `json:"clients"`
	PerSecond figure  `json:"per_second"`
	P50       figure  `json:"p50_ms"`
	P99       figure  `json:"p99_ms"`
	CPU       figure  `json:"cpu_us_per_value"`
	Writes    figure  `json:"write_calls_per_value"`
	Rate      *figure `json:"rate_ratio,omitempty"`
	CPURatio  *figure `json:"cpu_ratio,omitempty"`
}

// summarize makes a row for each system and number of clients, in the order of the
// results.
func summarize(results []result) (rows []row) {
	type kind struct {
		system  string
		clients int
	}
	groups := map[kind][]result{}
	var order []kind
	for _, r := range results {
		k := kind{r.system, r.clients}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	for _, k := range order {
		first := groups[kind{results[0].system, k.clients}]
		rows = append(rows, rowOf(groups[k], first, k.system == results[0].system))
	}
	return rows
}

func rowOf(runs, first []result, isFirst bool) row {
	of := func(get func(result) float64) figure {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = get(r)
		}
		return figureOf(values)
	}
	ratio := func(get func(result) float64) *figure {
		values := make([]float64, len(runs))
		for i, r := range runs {
			values[i] = get(r) / get(first[i])
		}
		f := figureOf(values)
		return &f
	}
	rate, cpu := func(r result) float64 { return r.perSecond }, func(r result) float64 { return r.cpu }
	made := row{
		System: runs[0].system, Clients: runs[0].clients, PerSecond: of(rate), CPU: of(cpu),
		P50: of(func(r result) float64 { return r.p50 }), P99: of(func(r result) float64 { return r.p99 }),
		Writes: of(func(r result) float64 { return r.writes }),
	}
	if !isFirst {
		made.Rate, made.CPURatio = ratio(rate), ratio(cpu)
	}
	return made
}

func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, "CLIENTS\tSYSTEM\tPER SECOND\tP50 MS\tP99 MS\tCPU US\tWRITES\tRATE RATIO\tCPU RATIO")
	for _, r := range rows {
		fmt.Fprintf(t, "%d\t%s\t%.0f (%.0f-%.0f)\t%.2f\t%.1f\t%.0f (%.0f-%.0f)\t%.1f\t%s\t%s\n", r.Clients, r.System,
			r.PerSecond.Median, r.PerSecond.Least, r.PerSecond.Most, r.P50.Median, r.P99.Median,
			r.CPU.Median, r.CPU.Least, r.CPU.Most, r.Writes.Median, r.Rate, r.CPURatio)
	}
}

// String is the ratio with its spread.
func (f *figure) String() string {
	if f == nil {
		return "1"
	}
	return fmt.Sprintf("%.2f (%.2f-%.2f)", f.Median, f.Least, f.Most)
}
