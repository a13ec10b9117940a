package testkit

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics returns the gathered values by name, followed by a space and the value of the first label if there is one.
// A histogram is two values: its name with _sum and with _count.
func Metrics(t testing.TB, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			label := ""
			if labels := m.GetLabel(); len(labels) > 0 {
				label = " " + labels[0].GetValue()
			}
			if h := m.GetHistogram(); h != nil {
				values[f.GetName()+"_sum"+label] = h.GetSampleSum()
				values[f.GetName()+"_count"+label] = float64(h.GetSampleCount())
				continue
			}
			values[f.GetName()+label] = m.GetGauge().GetValue() + m.GetCounter().GetValue() // one of them is nil
		}
	}
	return values
}
